"""What every run does: progress, its record, notifications, artifacts."""

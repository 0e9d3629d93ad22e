"""What all runs share: progress, records, notifications, artifacts."""

"""Places, durable files, locks."""

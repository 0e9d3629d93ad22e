"""Use case: one search, now."""

"""Use case: people confirm and reject hits, and thresholds follow."""

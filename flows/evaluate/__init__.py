"""Use case: how good the method is on a benchmark or on labeled clips."""

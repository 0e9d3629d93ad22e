"""Use case: measuring the method on a benchmark or on labeled clips."""

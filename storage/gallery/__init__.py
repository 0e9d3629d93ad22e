"""Search over the shards of a pipeline."""

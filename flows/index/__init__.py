"""Use case: an archive becomes shards."""

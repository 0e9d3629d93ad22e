"""Indexing: turns an archive into shards."""

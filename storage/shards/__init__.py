"""Shards, the immutable directories of crops: writing, reading and verifying them."""

"""Paths, durable writes and locks."""

"""Verification, cleaning and erasure."""

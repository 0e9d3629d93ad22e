"""Damaged video files."""

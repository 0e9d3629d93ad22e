"""Processes at work on one store at once."""

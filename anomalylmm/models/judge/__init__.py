"""Judges: multi-modal models in this process or behind an endpoint."""

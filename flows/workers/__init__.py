"""Spreads units of work over threads, processes and machines."""

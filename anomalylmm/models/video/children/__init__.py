"""Processes that decode, cut and write videos; each may be killed."""

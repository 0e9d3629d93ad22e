"""Sweeping: runs the saved queries on footage they have not covered yet."""

"""The report of an evaluation: figures, plots, failures."""

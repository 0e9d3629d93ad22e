"""The files of a benchmark: formats, checks, records."""

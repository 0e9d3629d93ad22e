"""Indexing beside what people would use instead: the same footage, the same weights, in one run."""

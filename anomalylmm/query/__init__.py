"""A sentence becomes slots and candidates: its words, its cloze, the coarse search."""

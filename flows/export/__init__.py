"""Use case: hits with clips and pictures, to hand on."""

MAX_HITS = 200  # of one export, unless the user allows more

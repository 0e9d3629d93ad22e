"""How models and pipeline do on real persons: boxes, crops and clips labeled by eye; see README.md beside."""

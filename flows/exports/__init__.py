"""The parts of an export: which hits, their clips and pictures, the files that tell of them."""

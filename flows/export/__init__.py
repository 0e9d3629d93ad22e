"""Use case: hits with clips and pictures, to hand on."""

"""Situations of real archives: each makes its input, runs our commands and compares with what a user expects."""

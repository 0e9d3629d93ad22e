"""The variants of the method that an evaluation compares, and their runs."""

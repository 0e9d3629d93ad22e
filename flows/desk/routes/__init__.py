"""The addresses of the review desk, one module for each page and what it calls."""

"""Adapters of model libraries, one a file; importing this package loads none of them."""

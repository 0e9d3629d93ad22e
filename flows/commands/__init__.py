"""The commands, a few to a file; each calls the same functions as the Prefect flows."""

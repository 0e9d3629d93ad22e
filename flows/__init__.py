"""When, and again: settings, the composition root, commands and Prefect flows."""

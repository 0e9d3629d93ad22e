"""The evaluation on labeled clips of the user."""

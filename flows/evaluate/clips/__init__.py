"""The evaluation on a user's own labeled clips."""

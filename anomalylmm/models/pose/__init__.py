"""Where joints are, and what they say of a posture."""

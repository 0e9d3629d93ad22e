"""Training recipes of the pocket models: detector, dual encoder and judge, on rendered data and 2 CPU cores."""

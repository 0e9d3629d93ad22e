"""Settings: profiles, files, environment, forms."""

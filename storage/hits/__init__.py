"""The hits database and its published snapshot."""

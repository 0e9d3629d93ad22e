"""Text-based search for persons by their behavior in video archives."""

__version__ = "0.1.0"

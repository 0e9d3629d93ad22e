"""One immutable directory of crops: written, read, proven."""

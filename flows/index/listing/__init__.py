"""What lies in an archive: its files, what they are, and what identifies them."""

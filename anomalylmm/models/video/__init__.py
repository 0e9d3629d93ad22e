"""Video decoding, in a child process that may be killed."""

"""Loading of transformers models from a folder, and their inputs."""

"""SIGKILL at every named point and at any moment."""

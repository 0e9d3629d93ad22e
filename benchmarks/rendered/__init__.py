"""A renderer of persons doing behaviors, deterministic by seed, from packages of the registry only."""

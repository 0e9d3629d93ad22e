"""Trains the sequence head: a person's joints over three seconds, from simulated motion, to what they do."""

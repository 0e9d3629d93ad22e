"""Trains the pocket person detector: NanoDet, started from weights that know real persons, tuned on ours."""

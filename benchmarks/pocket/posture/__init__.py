"""Trains the posture head: joints of rendered persons, as the pose estimator sees them, to behaviors."""

"""Makes the pocket pose estimator: MoveNet Lightning, tuned to find joints in any orientation in one pass."""

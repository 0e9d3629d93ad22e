"""Stick figures to test with: joints in COCO's order, y downwards, in pixels."""

import numpy as np

from anomalylmm.records import Floats

# offsets from the hips of a figure 100 px tall that stands and faces the camera
_STANDING = [
    (0, -55),
    (-3, -57),
    (3, -57),
    (-6, -55),
    (6, -55),
    (-12, -42),
    (12, -42),
    (-15, -22),
    (15, -22),
    (-15, -4),
    (15, -4),
    (-8, 0),
    (8, 0),
    (-8, 22),
    (8, 22),
    (-8, 45),
    (8, 45),
]


def standing(x: float = 200.0, hips_y: float = 200.0, size: float = 1.0) -> Floats:
    """Joints (17, 3) of somebody who stands."""
    joints = np.array(_STANDING, np.float32) * size + [x, hips_y]
    return np.concatenate([joints, np.full((17, 1), 0.8)], axis=1).astype(np.float32)


def lying(x: float = 200.0, hips_y: float = 235.0) -> Floats:
    """The same figure on the ground, the head to the left."""
    joints = standing(0, 0)
    turned = np.stack([joints[:, 1], -joints[:, 0] * 0.5], axis=1) + np.array([x, hips_y])
    return np.concatenate([turned, joints[:, 2:]], axis=1).astype(np.float32)


def box_of(joints: Floats) -> tuple[float, float, float, float]:
    """Box around the joints (17, 3)."""
    low, high = joints[:, :2].min(axis=0) - 5, joints[:, :2].max(axis=0) + 5
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])

"""Describes a person's joints around each moment: three seconds as one row of numbers for a head.

Shapes: T moments in time order, W places of a window, 17 joints, C still postures.
"""

import numpy as np
from numpy.typing import NDArray

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.features import HIPS, NUM_JOINTS, joint_boxes, middle
from anomalylmm.records import Floats

STEP_SECONDS = 1 / 3
REACH = 5  # places of a window before and after its moment
NEAR_SECONDS = 0.2  # between a place and the moment that stands for it
PLACES = np.arange(-REACH, REACH + 1) * STEP_SECONDS
PER_PLACE = 2 * NUM_JOINTS + len(STILLS) + 1
WINDOW_FEATURES = len(PLACES) * PER_PLACE
_FAR = 3.0  # body sizes


def describe_windows(pts_seconds: NDArray[np.floating], keypoints: Floats, stills: Floats) -> Floats:
    """Describes each moment by those around it; shape (T, WINDOW_FEATURES).

    Joints are given around the mean place of the hips in the window, in units of the largest body in it, so that a
    body that gets shorter or sinks is seen to do so. A place without a moment is all zeros.

    Args:
        pts_seconds: (T,), rising.
        keypoints: (T, 17, 3): x and y in pixels, score.
        stills: (T, C), the probabilities of ``STILLS`` at each moment.
    """
    times, joints = np.asarray(pts_seconds, np.float64), keypoints[..., :2].astype(np.float64)
    wanted = times[:, None] + PLACES[None]
    chosen = np.abs(wanted[..., None] - times).argmin(axis=2)  # (T, W)
    there = np.abs(wanted - times[chosen]) <= NEAR_SECONDS
    boxes = joint_boxes(joints)
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    size = np.where(there, sizes[chosen], 0).max(axis=1).clip(min=1.0)
    hips = middle(joints, HIPS)
    center = (hips[chosen] * there[..., None]).sum(axis=1) / there.sum(axis=1)[:, None]
    placed = (joints[chosen] - center[:, None, None]) / size[:, None, None, None]
    placed = np.clip(placed, -_FAR, _FAR).reshape(len(times), len(PLACES), -1)
    rows = np.concatenate([placed, stills[chosen], np.ones((*chosen.shape, 1))], axis=2)
    return np.asarray(rows * there[..., None], np.float32).reshape(len(times), WINDOW_FEATURES)

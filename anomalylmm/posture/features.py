"""Numbers that describe a body by its joints: where they are, which way limbs point, who is next to it.

Scores of joints are left out: they differ between rendered and real pictures more than the joints do.
Shapes: N persons, 17 joints in COCO's order, x and y in pixels (y downwards).
"""

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError
from anomalylmm.records import Floats

NUM_JOINTS = 17
SHOULDERS, HIPS, KNEES, ANKLES, WRISTS = (5, 6), (11, 12), (13, 14), (15, 16), (9, 10)
HEAD = (0, 1, 2, 3, 4)
SWAPPED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)  # joints of a mirrored person
_ANGLES = ((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16), (5, 11, 13), (6, 12, 14), (7, 5, 11), (8, 6, 12))
_MIN_TRUNK = 0.06  # of the box's longer side
_FAR = 3.0  # body sizes; where nobody is near
NEAR_GAP = 0.5  # body sizes between two boxes, within which one person may act on the other
SAME_PERSON = 0.15  # body sizes between the same joints of two detections, on the mean, of one person
NEAR_SIZE = 0.3  # least size of the other person, in body sizes
NUM_FEATURES = 34 + 34 + 8 + 8 + 8 + 1 + 34 + 4 + 6


def describe_bodies(keypoints: Floats) -> Floats:
    """Describes the N persons of one frame by their joints alone, (N, 17, 3); shape (N, F).

    A detector's box is not looked at: in real pictures it is often too large or cuts a limb.

    Raises:
        ShapeError: There are not 17 joints of x, y and score for each person.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (NUM_JOINTS, 3):
        raise ShapeError.of("keypoints", "(N, 17, 3)", keypoints.shape)
    joints = keypoints[..., :2].astype(np.float64)
    boxes = joint_boxes(joints)
    others = [nearest_other(boxes, index, joints) for index in range(len(boxes))]
    rows = [
        np.concatenate((_alone(joints[i], boxes[i]), _beside(joints, boxes, i, other)))
        for i, other in enumerate(others)
    ]
    return np.asarray(rows, dtype=np.float32).reshape(len(boxes), NUM_FEATURES)


def joint_boxes(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest boxes that hold all joints (N, 17, 2); shape (N, 4)."""
    return np.concatenate([joints.min(axis=1), joints.max(axis=1)], axis=1).reshape(-1, 4)


def nearest_other(boxes: NDArray[np.float64], index: int, joints: NDArray[np.float64] | None = None) -> int | None:
    """Finds the nearest person (N, 4) large and near enough to act on one of them; None if nobody is.

    With joints (N, 17, 2), a second detection of the same person is not taken for another.
    """
    size = body_size(boxes[index])
    gaps = [
        (box_gap(boxes[index], box), other)
        for other, box in enumerate(boxes)
        if other != index and body_size(box) > NEAR_SIZE * size
        if joints is None or np.linalg.norm(joints[index] - joints[other], axis=1).mean() > SAME_PERSON * size
    ]
    gap, other = min(gaps, default=(np.inf, -1))
    return other if gap < NEAR_GAP * size else None


def body_size(box: NDArray[np.float64]) -> float:
    """Longer side of a box (4,), in pixels; at least 1."""
    return float(max(box[2] - box[0], box[3] - box[1], 1.0))


def box_gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Free pixels between two boxes (4,), across and down together; 0 if they touch."""
    across = max(other[0] - one[2], one[0] - other[2], 0.0)
    return float(across + max(other[1] - one[3], one[1] - other[3], 0.0))


def middle(joints: NDArray[np.float64], pair: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean of some joints (..., 17, 2); shape (..., 2)."""
    return np.asarray(joints[..., list(pair), :].mean(axis=-2))


def _center(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _alone(joints: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    places = (joints - _center(box)) / body_size(box)
    shoulder, hip, knee, ankle, head = (middle(places, pair) for pair in (SHOULDERS, HIPS, KNEES, ANKLES, HEAD))
    trunk = max(float(np.linalg.norm(shoulder - hip)), _MIN_TRUNK)
    by_trunk = np.clip((places - hip) / trunk, -4, 4) * 0.5
    limbs = [_direction(limb) for limb in (shoulder - hip, knee - hip, ankle - knee, head - shoulder)]
    bends = [_cosine(places[a] - places[b], places[c] - places[b]) for a, b, c in _ANGLES]
    width, height = box[2] - box[0], box[3] - box[1]
    extent = places.max(axis=0) - places.min(axis=0)
    heights = [head[1] - ankle[1], shoulder[1] - hip[1], hip[1] - ankle[1], hip[1] - knee[1]]
    shape = [trunk, np.log(max(width, 1.0) / max(height, 1.0)), *extent, *heights]
    return np.concatenate([places.ravel(), by_trunk.ravel(), *limbs, bends, shape])


def _beside(
    joints: NDArray[np.float64], boxes: NDArray[np.float64], index: int, other: int | None
) -> NDArray[np.float64]:
    """Describes the nearest other person as seen from this one; the same numbers for everybody who is alone."""
    if other is None:
        return np.concatenate([[0.0], np.zeros(34), np.zeros(4), np.full(6, _FAR)])
    size, center = body_size(boxes[index]), _center(boxes[index])
    mine, theirs = ((joints[who] - center) / size for who in (index, other))
    apart = np.linalg.norm(mine[:, None] - theirs[None], axis=2)
    wrists, ankles, trunk = list(WRISTS), list(ANKLES), [*SHOULDERS, *HIPS]
    reach = [
        apart.min(),
        apart[wrists].min(),
        apart[:, wrists].min(),
        apart[wrists][:, :7].min(),
        apart[ankles].min(),
        apart[np.ix_(trunk, trunk)].min(),
    ]
    place = (_center(boxes[other]) - center) / size
    relation = [*place, box_overlap(boxes[index], boxes[other]), body_size(boxes[other]) / size]
    return np.concatenate([[1.0], np.clip(theirs, -_FAR, _FAR).ravel(), relation, np.minimum(reach, _FAR)])


def _direction(limb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(limb / max(float(np.linalg.norm(limb)), 1e-3))


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-4))


def box_overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes (4,)."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0.0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(areas - shared, 1e-6)

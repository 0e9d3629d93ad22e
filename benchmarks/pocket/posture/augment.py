"""Makes rendered joints as untidy as real ones: random company, stretch, tilt, noise, cut bodies, swapped sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.features import SWAPPED, describe_bodies
from benchmarks.pocket.posture.samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIGHTING = STILLS.index("fighting")
UPRIGHT = tuple(STILLS.index(name) for name in ("standing", "walking", "sitting", "crouching", "bending"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How far joints are moved; shares are of the body's longer side unless said otherwise."""

    company: float = 0.45  # of those who don't fight, that get a random person beside them
    alone: float = 0.12  # of those who fight, whose opponent is not seen
    stretch: float = 0.12  # standard deviation of the logarithm of width and height
    tilt_degrees: float = 6.0
    jitter: float = 0.012
    stray: float = 0.06  # of the joints, that are far off
    stray_far: float = 0.08
    edges: float = 0.025  # of the box
    cut: float = 0.2  # of the upright, whose legs are not seen
    swap: float = 0.12  # of persons, whose left and right are mixed up


USUAL = Strength()


def augmented_features(samples: Samples, rng: np.random.Generator, strength: Strength = USUAL) -> NDArray[np.float32]:
    """Features (N, F) of every sample after random changes, half of them mirrored."""
    rows = []
    for index in range(len(samples)):
        keypoints, boxes = _with_company(samples, index, rng, strength)
        keypoints, boxes = _bent(keypoints, boxes, rng, strength)
        keypoints, boxes = _untidy(keypoints, boxes, int(samples.labels[index]), rng, strength)
        if rng.random() < 0.5:
            keypoints, boxes = mirrored(keypoints, boxes)
        rows.append(describe_bodies(keypoints)[0])
    return np.stack(rows)


def plain_features(samples: Samples) -> NDArray[np.float32]:
    """Features (N, F) as they are."""
    rows = []
    for index in range(len(samples)):
        number = 2 if samples.has_other[index] else 1
        rows.append(describe_bodies(samples.keypoints[index, :number])[0])
    return np.stack(rows)


def mirrored(
    keypoints: NDArray[np.float32], boxes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints (P, 17, 3) and boxes (P, 4) seen in a mirror."""
    turned = keypoints[:, list(SWAPPED)].copy()
    turned[..., 0] *= -1
    return turned, np.stack([-boxes[:, 2], boxes[:, 1], -boxes[:, 0], boxes[:, 3]], axis=1)


def _size(box: NDArray[np.float32]) -> float:
    return float(max(box[2] - box[0], box[3] - box[1], 1.0))


def _center(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float32)


def _with_company(
    samples: Samples, index: int, rng: np.random.Generator, strength: Strength
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The person: with the opponent mostly where they fight, with a stranger from another picture sometimes else."""
    keypoints, boxes = samples.keypoints[index].copy(), samples.boxes[index].copy()
    fights, has_other = samples.labels[index] == FIGHTING, bool(samples.has_other[index])
    if fights:
        keep = has_other and rng.random() >= strength.alone
        return (keypoints, boxes) if keep else (keypoints[:1], boxes[:1])
    if rng.random() >= strength.company:
        return (keypoints, boxes) if has_other else (keypoints[:1], boxes[:1])
    stranger = int(rng.integers(len(samples)))
    while samples.labels[stranger] == FIGHTING:
        stranger = int(rng.integers(len(samples)))
    other, box = _beside(boxes[0], samples.keypoints[stranger, 0], samples.boxes[stranger, 0], rng)
    return np.stack([keypoints[0], other]), np.stack([boxes[0], box])


def _beside(
    mine: NDArray[np.float32], joints: NDArray[np.float32], box: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Somebody of about the same size put to the left or right, overlapping or near."""
    size = _size(mine)
    scale = size / _size(box) * float(np.exp(rng.normal(0, 0.2)))
    width, height = (box[2] - box[0]) * scale, (box[3] - box[1]) * scale
    gap = rng.uniform(-0.25, 0.4) * size
    x = _center(mine)[0] + rng.choice([-1, 1]) * ((mine[2] - mine[0]) / 2 + width / 2 + gap)
    y = mine[3] - height / 2 + rng.normal(0, 0.1) * size
    moved = joints.copy()
    moved[:, :2] = (joints[:, :2] - _center(box)) * scale + [x, y]
    placed = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2], np.float32)
    return moved, placed


def _bent(
    keypoints: NDArray[np.float32], boxes: NDArray[np.float32], rng: np.random.Generator, strength: Strength
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Everybody turned a little and stretched together; boxes follow the joints."""
    angle = np.radians(rng.normal(0, strength.tilt_degrees))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag(np.exp(rng.normal(0, strength.stretch, 2)))
    center = _center(boxes[0])
    moved, around = keypoints.copy(), boxes.copy()
    for person in range(len(keypoints)):
        before = keypoints[person, :, :2]
        after = (before - center) @ matrix.T + center
        around[person, :2] = after.min(0) + (boxes[person, :2] - before.min(0))
        around[person, 2:] = after.max(0) + (boxes[person, 2:] - before.max(0))
        moved[person, :, :2] = after
    return moved, around


def _untidy(
    keypoints: NDArray[np.float32],
    boxes: NDArray[np.float32],
    label: int,
    rng: np.random.Generator,
    strength: Strength,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each person's joints and box as an estimator and a detector would miss them."""
    for person in range(len(keypoints)):
        size, joints = _size(boxes[person]), keypoints[person]
        joints[:, :2] += rng.normal(0, strength.jitter * size, (17, 2))
        stray = rng.random(17) < strength.stray
        joints[stray, :2] += rng.normal(0, strength.stray_far * size, (int(stray.sum()), 2))
        boxes[person] += rng.normal(0, strength.edges * size, 4)
        if person == 0 and label in UPRIGHT and rng.random() < strength.cut:
            _cut_legs(joints, boxes[person], size, rng)
        if rng.random() < strength.swap:
            joints[11:17] = joints[[12, 11, 14, 13, 16, 15]]
    return keypoints, boxes


def _cut_legs(joints: NDArray[np.float32], box: NDArray[np.float32], size: float, rng: np.random.Generator) -> None:
    """Nothing is seen below the hips or knees: the frame or a table ends there."""
    edge = float(np.sort(joints[5:, 1])[rng.integers(5, 10)]) + 0.02 * size
    joints[:, 1] = np.minimum(joints[:, 1], edge + rng.normal(0, 0.02 * size, 17))
    box[3] = max(edge, box[1] + 0.2 * size)

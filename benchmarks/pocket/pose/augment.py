"""Square pictures around persons as the pose net is given them: turned, cut, mirrored, bad pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomalylmm.posture.features import SWAPPED
from benchmarks.pocket.pose.net import SIDE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.pocket.pose.samples import People

TURN_SHARE, TILT_DEGREES = 0.5, 20.0
SCALE = (1.1, 1.4)  # side of the picture over the longer side of the box
USUAL_SCALE = 1.25
CUT_SHARE, JITTER = 0.2, 0.05


def plain(people: People, index: int, turns: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One person as the product cuts it: the picture (S, S, 3) and its joints (17, 2), both in 0..1 of it."""
    matrix = _matrix(people, index, 90.0 * turns, USUAL_SCALE, np.zeros(2))
    return _warp(people.images[index], matrix), _move(people.joints[index], people.images.shape[1], matrix)


def augmented(
    people: People, index: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """One person changed at random: picture (S, S, 3), joints (17, 2), which may lie outside, and which are known."""
    degrees = rng.uniform(-TILT_DEGREES, TILT_DEGREES)
    if rng.random() < TURN_SHARE:
        degrees += 90 * int(rng.integers(4))
    shift = rng.normal(0, JITTER, 2)
    if rng.random() < CUT_SHARE:
        shift = rng.uniform(-0.35, 0.35, 2)
    matrix = _matrix(people, index, degrees, rng.uniform(*SCALE), shift)
    image, joints = _warp(people.images[index], matrix), _move(people.joints[index], people.images.shape[1], matrix)
    known = people.known[index]
    if rng.random() < 0.5:
        image, joints, known = image[:, ::-1], joints[list(SWAPPED)], known[list(SWAPPED)]
        joints[:, 0] = 1 - joints[:, 0]
    return spoil(np.ascontiguousarray(image), rng), joints, known


def spoil(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Makes a picture as bad as those of cameras: gray, dark, blurred, coarse, noisy, compressed."""
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.6:
        gain, bias = rng.uniform(0.6, 1.4), rng.uniform(-30, 30)
        image = cv2.convertScaleAbs(cv2.add(cv2.multiply(image, (gain,) * 4), (max(bias, 0.0),) * 4))
        image = cv2.subtract(image, (max(-bias, 0.0),) * 4)
    if rng.random() < 0.3:
        small = int(rng.integers(40, 130))
        image = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (SIDE_PX, SIDE_PX))
    elif rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 12), (SIDE_PX, SIDE_PX, 1))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))])[1]
        image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return image


def _matrix(
    people: People, index: int, degrees: float, scale: float, shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From pixels of a picture to those of the square around its person: (2, 3); the shift in shares of the square."""
    box = people.boxes[index] * people.images.shape[1]
    longer = max(box[2] - box[0], box[3] - box[1], 1.0)
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    matrix = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), degrees, SIDE_PX / (longer * scale))
    matrix[:, 2] += SIDE_PX * (0.5 + shift) - center
    return matrix


def _warp(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    size = (SIDE_PX, SIDE_PX)
    return cv2.warpAffine(
        np.ascontiguousarray(image), matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def _move(joints: NDArray[np.float32], side: int, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return ((joints * side) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) / SIDE_PX

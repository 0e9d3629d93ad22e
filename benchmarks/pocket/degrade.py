"""Make crops look like those of poor cameras: low resolution, blur, noise, gray nights, blocks, things in front."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.float32]  # H,W,3 in 0..1
GRAY_SHARE = 0.15
_SHARE = 0.6  # of the crops that are degraded at all


def degrade(pixels: Tensor, rng: np.random.Generator, *, gray: bool = True) -> tuple[Tensor, Tensor]:
    """Degrade a share of the crops, each in its own way.

    Args:
        pixels: N,3,S,S values about -1..1.
        rng: Source of chance.
        gray: Whether some lose their colors.

    Returns:
        N,3,S,S values in -1..1, and N flags of those whose colors are gone.
    """
    images = (pixels.permute(0, 2, 3, 1).numpy() / 2 + 0.5).clip(0, 1).astype(np.float32)
    poor = np.flatnonzero(rng.random(len(images)) < _SHARE)
    faded = np.zeros(len(images), bool)
    covered = images.copy()
    for number in poor:
        image = images[number]
        if rng.random() < 0.3:
            image = _put_in_front(image, images[rng.integers(len(images))], rng)
        faded[number] = gray and rng.random() < GRAY_SHARE
        covered[number] = _as_stored(image, rng, gray=bool(faded[number]))
    values = torch.from_numpy(np.ascontiguousarray(covered)).permute(0, 3, 1, 2) * 2 - 1
    return values, torch.from_numpy(faded)


def _put_in_front(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Cover an edge of the crop by a piece of another one: furniture, a frame's edge, somebody passing."""
    size, image = len(image), image.copy()
    depth = int(size * rng.uniform(0.08, 0.35))
    piece = other if rng.random() < 0.7 else np.full_like(other, rng.uniform(0, 1, 3).astype(np.float32))
    edge = rng.integers(3)
    if edge == 0:
        image[-depth:] = piece[-depth:]
    elif edge == 1:
        image[:, :depth] = piece[:, :depth]
    else:
        image[:, -depth:] = piece[:, -depth:]
    return image


def _as_stored(image: Pixels, rng: np.random.Generator, *, gray: bool) -> Pixels:
    """What a camera would have kept of it."""
    size = len(image)
    if gray:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    image = image ** np.float32(rng.uniform(0.6, 1.9))
    side = int(size * rng.uniform(0.2, 1.0))
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    image = _blur(image, rng)
    shade = rng.standard_normal((side, side, 3 if rng.random() < 0.5 and not gray else 1), dtype=np.float32)
    image = (image + shade * np.float32(rng.uniform(0, 0.09))).clip(0, 1)
    if rng.random() < 0.6:
        _, data = cv2.imencode(
            ".jpg", (image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 75))]
        )
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / 255
    way = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=way), np.float32).clip(0, 1)


def _blur(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Out of focus, or moved while the shutter was open."""
    chance = rng.random()
    if chance < 0.35:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if chance < 0.5:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
        return np.asarray(cv2.filter2D(image, -1, cv2.warpAffine(kernel, turn, (length, length))), np.float32)
    return image

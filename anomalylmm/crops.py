"""Cuts persons with their surroundings and chooses the few crops that tell what happened; knows no video."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError
from anomalylmm.records import Box, Image

SHARPNESS_SIDE_PX = 128  # all crops are compared at this size
SHAPE_CHANGE = 1.3  # widest over tallest width-to-height ratio from which a tracklet has changed its shape


def context_box(box: Box, width: int, height: int, *, margin: float = 0.25, square: bool = True) -> Box:
    """Grows a tight box by a margin on each side, inside the frame, on whole pixels.

    Behavior needs the surroundings: a bicycle, a car, the other person. At the border the box is shifted before it is
    made smaller, so the person may leave the middle but keeps the context. A square larger than the frame's short
    side becomes an oblong rather than cut the person.

    Raises:
        ShapeError: The box or the frame's size has no area, or a number is not finite.
    """
    x0, y0, x1, y1 = clip_box(box, width, height)
    span_x, span_y = x1 - x0, y1 - y0
    longest = max(span_x, span_y)
    wide = (longest if square else span_x) + 2 * margin * (longest if square else span_x)
    tall = (longest if square else span_y) + 2 * margin * (longest if square else span_y)
    left, right = _fit((x0 + x1) / 2, wide, width)
    top, bottom = _fit((y0 + y1) / 2, tall, height)
    return float(left), float(top), float(right), float(bottom)


def clip_box(box: Box, width: int, height: int) -> Box:
    """Brings a box inside the frame.

    Raises:
        ShapeError: Nothing of the box is inside the frame, or a number is not finite.
    """
    if not all(map(math.isfinite, box)):
        raise ShapeError(f"box {box} must have finite corners")
    x0, x1 = max(0.0, box[0]), min(float(width), box[2])
    y0, y1 = max(0.0, box[1]), min(float(height), box[3])
    if x1 <= x0 or y1 <= y0:
        raise ShapeError(f"box {box} must overlap the frame of {width} x {height} pixels")
    return x0, y0, x1, y1


def _fit(center: float, size: float, limit: int) -> tuple[int, int]:
    whole = min(limit, max(1, math.ceil(size)))
    start = min(max(0, round(center - whole / 2)), limit - whole)
    return start, start + whole


def cut(image: Image, box: Box) -> Image:
    """Copies the region of a box out of an image (H, W, 3); the copy does not keep the frame in memory.

    Raises:
        ShapeError: Nothing of the box is inside the image.
    """
    x0, y0, x1, y1 = clip_box(box, image.shape[1], image.shape[0])
    left, top = min(math.floor(x0), image.shape[1] - 1), min(math.floor(y0), image.shape[0] - 1)
    return np.ascontiguousarray(image[top : math.ceil(y1), left : math.ceil(x1)]).copy()


def limit_size(image: Image, longest_px: int) -> Image:
    """Scales an image down so that its longest side has at most this many pixels; smaller ones are left alone."""
    longest = max(image.shape[:2])
    if longest <= longest_px:
        return image
    scale = longest_px / longest
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def sharpness(image: Image) -> float:
    """Measures the variance of the Laplacian with the longest side scaled to 128 pixels, so that sizes compare."""
    scale = SHARPNESS_SIDE_PX / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    gray = cv2.cvtColor(cv2.resize(image, size, interpolation=method), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var())


def spread_in_time(
    pts_seconds: Sequence[float], qualities: Sequence[float], aspects: Sequence[float], count: int
) -> tuple[int, ...]:
    """Chooses crops that are good, far apart in time and of different posture; best first, positions into N.

    ``aspects`` are widths over heights of the tight boxes. Where they change by more than 1.3 times (a fall, someone
    who bends or lies down), the widest and the tallest moment are always among the chosen. The others are taken
    greedily: each is the one with the largest sum of quality (relative to the best), distance in time and in shape
    from those already chosen.

    Raises:
        ShapeError: The three sequences have different lengths.
    """
    if not len(pts_seconds) == len(qualities) == len(aspects):
        raise ShapeError.of("qualities and aspects", f"({len(pts_seconds)},)", (len(qualities), len(aspects)))
    number = len(pts_seconds)
    if count <= 0 or number == 0:
        return ()
    times = _relative(np.asarray(pts_seconds, dtype=np.float64))
    shapes = np.log(np.maximum(np.asarray(aspects, dtype=np.float64), 1e-6))
    quality = np.asarray(qualities, dtype=np.float64)
    quality = quality / max(float(quality.max()), 1e-12)
    chosen = _first_choices(quality, shapes, min(count, number))
    while len(chosen) < min(count, number):
        distance_time = np.abs(times[:, None] - times[chosen]).min(axis=1)
        distance_shape = np.abs(shapes[:, None] - shapes[chosen]).min(axis=1)
        gain = quality + 2.0 * distance_time + distance_shape
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
    return tuple(chosen)


def _first_choices(quality: NDArray[np.float64], shapes: NDArray[np.float64], count: int) -> list[int]:
    """Gives the best crop, and where the shape changes the best of the widest and of the tallest moments."""
    best = int(np.argmax(quality))
    span = float(shapes.max() - shapes.min())
    if count < 2 or span < math.log(SHAPE_CHANGE):
        return [best]
    widest = int(np.argmax(np.where(shapes >= shapes.max() - 0.1 * span, quality, -np.inf)))
    tallest = int(np.argmax(np.where(shapes <= shapes.min() + 0.1 * span, quality, -np.inf)))
    picks = [widest, tallest] if count == 2 else [best, widest, tallest]
    unique = list(dict.fromkeys(picks))
    return sorted(unique, key=lambda index: (-quality[index], index))


def _relative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    span = float(values.max() - values.min())
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)

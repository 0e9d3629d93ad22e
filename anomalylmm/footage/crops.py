"""Cuts persons with their surroundings and measures how good a picture of them is; knows no video."""

import math

import cv2
import numpy as np

from anomalylmm.errors import ShapeError
from anomalylmm.records import Box, Image

SHARPNESS_SIDE_PX = 128  # all crops are compared at this size
COLOR_SIDE_PX = 16  # small enough that the colored noise of a sensor is averaged away
COLOR_SHARE = 0.02  # of a picture that must be colored
MIN_COLOR = 6.0  # gray levels between channels; a gray picture has up to 3 after a video's and a JPEG's compression


def context_box(box: Box, width: int, height: int, *, margin: float, square: bool = True) -> Box:
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


def has_color(image: Image) -> bool:
    """Tells whether a picture (H, W, 3) shows colors; that of an infrared camera, even tinted, does not."""
    small = cv2.resize(image, (COLOR_SIDE_PX, COLOR_SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    differences = small[..., (0, 2)] - small[..., 1:2]
    differences -= np.median(differences, axis=(0, 1))
    return float(np.quantile(np.abs(differences).max(axis=2), 1 - COLOR_SHARE)) >= MIN_COLOR

"""Training pictures with boxes, from folders in YOLO's format: turned, zoomed, cut, and made as poor as real ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAY = 114
MIN_SIDE_PX = 6.0  # of a box that still counts
MIN_VISIBLE = 0.3  # share of a box that is left after cutting


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeled:
    """A picture's file and its boxes, x0 y0 x1 y1 in 0..1."""

    path: Path
    boxes: NDArray[np.float32]


def read_folder(folder: Path) -> list[Labeled]:
    """The pictures of images/ whose label file is there."""
    found = []
    for label in sorted((folder / "labels").glob("*.txt")):
        image = folder / "images" / f"{label.stem}.jpg"
        if image.is_file():
            rows = [line.split()[1:5] for line in label.read_text(encoding="ascii").splitlines()]
            table = np.array(rows, np.float32).reshape(-1, 4)
            corners = np.concatenate((table[:, :2] - table[:, 2:] / 2, table[:, :2] + table[:, 2:] / 2), axis=1)
            found.append(Labeled(path=image, boxes=corners))
    return found


def draw(
    row: Labeled, size: int, rng: np.random.Generator, *, turn: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A square RGB picture and its boxes in pixels, after random changes.

    Args:
        row: The picture.
        size: Side in pixels.
        rng: Where chance comes from.
        turn: Share of pictures turned by a quarter, so that persons lie who stand.
    """
    image = cv2.cvtColor(cv2.imread(str(row.path)), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    boxes = row.boxes * np.array([width, height, width, height], np.float32)
    if rng.random() < turn:
        image, boxes = quarter_turn(image, boxes, clockwise=bool(rng.random() < 0.5))
    image, boxes = _placed(image, boxes, size, rng)
    if rng.random() < 0.5:
        image = image[:, ::-1]
        boxes = np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], axis=1)
    return _worn(np.ascontiguousarray(image), rng), boxes.astype(np.float32)


def quarter_turn(
    image: NDArray[np.uint8], boxes: NDArray[np.float32], *, clockwise: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture and its boxes (N, 4) in pixels, turned by 90 degrees."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = boxes.T
    if clockwise:
        return np.ascontiguousarray(np.rot90(image, 3)), np.stack([height - y1, x0, height - y0, x1], axis=1)
    return np.ascontiguousarray(np.rot90(image)), np.stack([y0, width - x1, y1, width - x0], axis=1)


def _placed(
    image: NDArray[np.uint8], boxes: NDArray[np.float32], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Scaled between half and twice what fits, and shifted, so that persons are far, near or cut by the edges."""
    height, width = image.shape[:2]
    scale = size / max(height, width) * float(np.exp(rng.uniform(np.log(0.55), np.log(1.9))))
    stretch = float(np.exp(rng.normal(0, 0.06)))
    scales = np.array([scale * stretch, scale / stretch])
    free = size - scales * [width, height]
    shift = rng.uniform(np.minimum(free, 0), np.maximum(free, 0))
    matrix = np.array([[scales[0], 0, shift[0]], [0, scales[1], shift[1]]], np.float32)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderValue=(GRAY, GRAY, GRAY))
    moved = boxes * np.tile(scales, 2) + np.tile(shift, 2)
    kept = np.clip(moved, 0, size)
    areas = [np.prod(table[:, 2:] - table[:, :2], axis=1) for table in (kept, moved)]
    sides = (kept[:, 2:] - kept[:, :2]).min(axis=1, initial=np.inf)
    good = (sides >= MIN_SIDE_PX) & (areas[0] >= MIN_VISIBLE * np.maximum(areas[1], 1e-6))
    return out, kept[good]


def _worn(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, color, blur, noise, low resolution and blocking, as cameras have them."""
    out = image.astype(np.float32)
    out = (out - 128) * rng.uniform(0.6, 1.3) + 128 + rng.uniform(-45, 35)
    out *= rng.uniform(0.9, 1.1, 3)
    if rng.random() < 0.2:
        out = np.repeat(out.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.25:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.2:
        share = rng.uniform(0.4, 0.9)
        small = cv2.resize(out, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        out = out + rng.normal(0, rng.uniform(1, 14), (*image.shape[:2], 1)).astype(np.float32)
    out = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])[1], 1)
    return np.asarray(out, np.uint8)

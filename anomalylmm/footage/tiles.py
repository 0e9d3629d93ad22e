"""Finds small persons: a detector looks at overlapping tiles of a frame, too, and its boxes are merged.

The order of the steps follows slicing aided inference (Akyon et al., "Slicing Aided Hyper Inference and Fine-Tuning
for Small Object Detection", ICIP 2022). Boxes are never united: a box that a tile's inner edge cuts counts only where
nothing whole was found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.protocols import PersonDetector
from anomalylmm.records import Detections, Floats, Image

OVERLAP = 0.2  # share of a tile that its neighbor shows as well
SAME_PERSON = 0.5  # overlap (intersection over union) of two boxes of one person
COVERED = 0.6  # share of a cut box that lies in a whole one of the same person
EDGE = 0.02  # share of a tile's side within which a box touches its edge
MAX_DETECTIONS = 100  # of one frame
MIN_TILE_SHARE = 0.65  # of the detector's picture: enlarging smaller parts of a frame shows it nothing new
SEEN_PX = 30  # height of a person in the detector's picture from which it finds about half of them (measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A part of a frame, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, image: Image) -> Image:
        """Shows the part of a frame (H, W, 3), without copying it."""
        return image[self.top : self.bottom, self.left : self.right]


class TiledDetector:
    """Finds persons in whole frames and in N x N tiles of them; implements ``PersonDetector``."""

    def __init__(self, detector: PersonDetector, tiles: int) -> None:
        """Takes the detector that looks at whole frames and tiles, and the number of tiles in a row and a column."""
        self.model_id = detector.model_id
        self._detector, self._tiles = detector, tiles

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Finds the persons of N frames; one ``Detections`` a frame, highest score first.

        The same tile of all frames is one batch, so that a batch is never larger than one of whole frames.
        """
        if len({image.shape for image in images}) > 1:
            return [self.detect([image])[0] for image in images]
        found = [[item] for item in self._detector.detect(images)]
        cut = [[np.zeros(len(item[0]), np.bool_)] for item in found]
        tiles = cut_tiles(images[0].shape[0], images[0].shape[1], self._tiles) if images else []
        for tile in tiles:
            for index, seen in enumerate(self._detector.detect([tile.cut(image) for image in images])):
                cut[index].append(touches_inner_edge(seen.boxes_xyxy_px, tile, images[index].shape))
                found[index].append(move(seen, tile))
        return [_merge(parts, np.concatenate(flags)) for parts, flags in zip(found, cut, strict=True)]


def cut_tiles(height: int, width: int, number: int) -> list[Tile]:
    """Divides a frame into N x N tiles of one size that overlap by ``OVERLAP``, row by row."""
    rows, columns = _spans(height, number), _spans(width, number)
    return [Tile(left=left, top=top, right=right, bottom=bottom) for top, bottom in rows for left, right in columns]


def tile_side(side: int, number: int) -> int:
    """Returns the length in pixels of a tile's side, for N tiles along the side of a frame."""
    return min(side, math.ceil(side / (number - (number - 1) * OVERLAP)))


def smallest_person(width: int, image_size: int, tiles: int) -> int:
    """Returns the height in pixels of a frame from which about half of the persons in it are found.

    Args:
        width: Longer side of the frame.
        image_size: Longer side of the pictures that the detector sees.
        tiles: Tiles in a row.
    """
    return round(SEEN_PX * tile_side(width, tiles) / image_size)


def _spans(side: int, number: int) -> list[tuple[int, int]]:
    length = tile_side(side, number)
    starts = np.linspace(0, side - length, number).round().astype(int).tolist()
    return [(start, start + length) for start in starts]


def touches_inner_edge(boxes: Floats, tile: Tile, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tells which boxes (N, 4) of a tile reach an edge of the tile that is not one of the frame's (H, W, 3); (N,)."""
    width, height = tile.right - tile.left, tile.bottom - tile.top
    slack_x, slack_y = EDGE * width, EDGE * height
    touches = np.zeros(len(boxes), np.bool_)
    touches |= (boxes[:, 0] <= slack_x) & (tile.left > 0)
    touches |= (boxes[:, 1] <= slack_y) & (tile.top > 0)
    touches |= (boxes[:, 2] >= width - slack_x) & (tile.right < shape[1])
    touches |= (boxes[:, 3] >= height - slack_y) & (tile.bottom < shape[0])
    return touches


def move(found: Detections, tile: Tile) -> Detections:
    """Moves the boxes of a tile to their place in the frame."""
    offset = np.array([tile.left, tile.top] * 2, np.float32)
    return Detections(boxes_xyxy_px=found.boxes_xyxy_px + offset, scores=found.scores)


def _merge(parts: Sequence[Detections], is_cut: NDArray[np.bool_]) -> Detections:
    """Keeps one box of each person: the best whole one, otherwise the best cut one."""
    boxes = np.concatenate([part.boxes_xyxy_px for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    kept = list[int]()
    for index in np.lexsort((-scores, is_cut)).tolist():  # whole boxes first, each kind by score
        if not kept or not _is_known(boxes[index], boxes[kept], is_cut=bool(is_cut[index])):
            kept.append(index)
    best = sorted(kept, key=lambda index: -scores[index])[:MAX_DETECTIONS]
    return Detections(boxes_xyxy_px=boxes[best], scores=scores[best])


def _is_known(box: Floats, others: Floats, *, is_cut: bool) -> bool:
    """Tells whether one of the other boxes (N, 4) shows the same person."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    area, areas = float(np.prod(box[2:] - box[:2])), np.prod(others[:, 2:] - others[:, :2], axis=1)
    if is_cut and bool((shared >= COVERED * area).any()):
        return True
    return bool((shared >= SAME_PERSON * (area + areas - shared)).any())

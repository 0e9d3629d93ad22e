"""Lets a detector look at the part of a frame where something moves, so that small persons are large in it. Pure."""

import math

import numpy as np

from anomalylmm.footage.tiles import Tile, touches_inner_edge
from anomalylmm.records import Box, Detections, Floats

WHOLE_SECONDS = 2.0  # a whole frame is looked at so often: somebody may have stopped moving long ago
MEMORY_SECONDS = 4.0  # in which somebody who was seen belongs to what is looked at
MARGIN = 0.08  # of the frame's sides, around what moves
SIZES = (0.5, 0.625, 0.75)  # shares of the frame's sides that a part may have


class Zoom:
    """Chooses the parts of one stream's frames: around what moves and around everybody seen a moment ago.

    A part has the frame's proportions, so the detector scales it to the same size as a whole frame: it costs the same
    and shows persons up to twice as tall.
    """

    def __init__(self) -> None:
        """Begins with nothing seen."""
        self._last_whole = -math.inf
        self._seen: list[tuple[float, Floats]] = []  # time, box in shares of the frame

    def choose(self, shape: tuple[int, ...], moving: Box | None, seconds: float) -> Tile:
        """Returns the part of a frame (H, W, 3) to look at.

        Args:
            shape: Of the frame.
            moving: What moves, in shares of the frame's sides (x0, y0, x1, y1); None: anything may.
            seconds: Time of the frame in the stream.
        """
        whole = Tile(left=0, top=0, right=shape[1], bottom=shape[0])
        self._seen = [(at, box) for at, box in self._seen if abs(seconds - at) <= MEMORY_SECONDS]
        if moving is None or not 0 <= seconds - self._last_whole < WHOLE_SECONDS:
            self._last_whole = seconds
            return whole
        wanted = np.array([np.array(moving, np.float32), *(box for _, box in self._seen)])
        low, high = wanted[:, :2].min(axis=0) - MARGIN, wanted[:, 2:].max(axis=0) + MARGIN
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        side = next((size for size in SIZES if size >= (high - low).max()), 1.0)
        if side == 1.0:
            self._last_whole = seconds
            return whole
        left, top = np.clip((low + high - side) / 2, 0, 1 - side).tolist()
        height, width = round(side * shape[0]), round(side * shape[1])
        x, y = round(left * shape[1]), round(top * shape[0])
        return Tile(left=x, top=y, right=x + width, bottom=y + height)

    def remember(self, found: Detections, shape: tuple[int, ...], seconds: float) -> None:
        """Takes in who was found in a frame (H, W, 3)."""
        size = np.array([shape[1], shape[0]] * 2, np.float32)
        self._seen += [(seconds, box / size) for box in found.boxes_xyxy_px]


def cuts_somebody(found: Detections, part: Tile, shape: tuple[int, ...]) -> bool:
    """Tells whether a person found in a part of a frame (H, W, 3) reaches out of it."""
    return bool(touches_inner_edge(found.boxes_xyxy_px, part, shape).any())

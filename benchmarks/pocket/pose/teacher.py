"""The pose teacher: MoveNet Thunder on each person at three quarter turns, the surest of which counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from anomalylmm.models.pose.movenet import cut_square, square_around
from benchmarks.pocket.pose.net import PoseNet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anomalylmm.records import Detections, Floats, Image

SIDE_PX = 256
TURNS = (0, 1, 3)  # quarter turns against the clock; nobody stands on his head
_BODY = slice(5, 17)


class ThreeTurns:
    """Finds joints upright and turned to either side; implements ``PoseEstimator``."""

    def __init__(self, graph: Path) -> None:
        """Reads ``movenet-thunder.json``, with its ``.bin`` beside it."""
        self.model_id = "thunder3"
        self._net = PoseNet(graph, SIDE_PX).eval()

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Finds the joints of the persons of N frames; for each frame (P, 17, 3) in pixels of the frame."""
        return [
            np.stack([self._find(image, box) for box in found.boxes_xyxy_px])
            if len(found)
            else np.zeros((0, 17, 3), np.float32)
            for image, found in zip(images, persons, strict=True)
        ]

    def _find(self, image: Image, box: Floats) -> NDArray[np.float32]:
        left, top, side = square = square_around(box)
        cut = cut_square(image, square, SIDE_PX)
        turned = np.stack([np.rot90(cut, turn) for turn in TURNS]).transpose(0, 3, 1, 2)
        with torch.no_grad():
            found = self._net(torch.from_numpy(np.ascontiguousarray(turned, np.float32))).numpy()
        best = int(found[:, _BODY, 2].mean(axis=1).argmax())
        joints = turned_back(found[best], TURNS[best])
        joints[:, :2] = joints[:, :2] * side + [left, top]
        return joints.astype(np.float32)


def turned_back(joints: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """Joints (17, 3) in 0..1 of a picture that was turned by quarters against the clock, as before the turn."""
    x, y, score = joints.T
    return np.stack({0: (x, y, score), 1: (1 - y, x, score), 3: (y, 1 - x, score)}[turn], axis=1)

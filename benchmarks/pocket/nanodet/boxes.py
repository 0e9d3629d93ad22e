"""Runs an exported NanoDet on pictures of any size, upright or at three quarter turns; for teaching and measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.pocket.nanodet.pictures import GRAY

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUPPRESSION = 0.5
Found = tuple["NDArray[np.float32]", "NDArray[np.float32]"]  # boxes (N, 4) in pixels, scores (N,)


class BoxFinder:
    """One ONNX file on one thread of ONNX Runtime."""

    def __init__(self, path: Path, size: int = 416) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.size = size

    def find(self, image: NDArray[np.uint8], threshold: float) -> Found:
        """Persons of an RGB picture."""
        height, width = image.shape[:2]
        scale = self.size / max(height, width)
        inner = round(width * scale), round(height * scale)
        canvas = np.full((-(-inner[1] // 32) * 32, -(-inner[0] // 32) * 32, 3), GRAY, np.uint8)
        canvas[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
        batch = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / 255
        rows = self._session.run(None, {"image": batch})[0][0]
        rows = rows[rows[:, 4] >= threshold]
        boxes = np.clip(rows[:, :4] / scale, 0, [width, height, width, height]).astype(np.float32)
        return suppress(boxes, rows[:, 4])

    def find_turned(self, image: NDArray[np.uint8], threshold: float) -> Found:
        """The same, also with the picture turned by a quarter to either side, joined."""
        height, width = image.shape[:2]
        parts = [self.find(image, threshold)]
        boxes, scores = self.find(np.ascontiguousarray(np.rot90(image, 3)), threshold)
        x0, y0, x1, y1 = boxes.T
        parts.append((np.stack([y0, height - x1, y1, height - x0], axis=1), scores))
        boxes, scores = self.find(np.ascontiguousarray(np.rot90(image)), threshold)
        x0, y0, x1, y1 = boxes.T
        parts.append((np.stack([width - y1, x0, width - y0, x1], axis=1), scores))
        return suppress(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> Found:
    """The strongest of boxes that overlap, best first."""
    if not len(boxes):
        return boxes.reshape(0, 4), scores
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, SUPPRESSION)
    order = np.asarray(kept, np.int64).reshape(-1)
    return boxes[order], scores[order]

"""Finds joints by a net that looks at one person at a time, such as the tuned MoveNet, from an ONNX file."""

from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.engine import OnnxEngine
from anomalylmm.models.onnx.openvino_copy import name_by_runtime
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.posture.features import NUM_JOINTS
from anomalylmm.records import Detections, Floats, Image

MARGIN = 1.25  # side of the square cut around a person, over the longer side of the box
PER_REQUEST = 4  # persons: a sixth less of the processor than one by one, and no more is gained by eight
Square = tuple[int, int, int]  # left, top and side in pixels of the frame


class MoveNetPose:
    """Cuts a square around each person and finds the joints in it; implements ``PoseEstimator``."""

    def __init__(self, weights: ResolvedWeights, *, runtime: str, device: str, batch_size: int = 16) -> None:
        """Loads the net and tries it on a black picture.

        Args:
            weights: ``.onnx`` file: pictures (N, 3, S, S), RGB, 0..255, to joints (N, 17, 3) in 0..1 of the
                picture, in COCO's order, with scores 0..1.
            runtime: What runs it: ``"openvino"``, ``"onnxruntime"``, or ``"auto"`` for the first that can.
            device: ``"cpu"`` or ``"cuda:0"``.
            batch_size: Persons looked at together.

        Raises:
            WeightsError: The file is damaged, or holds no such net.
        """
        self.model_id = name_by_runtime(weights, device, runtime)
        self._batch_size = batch_size
        self._engine = OnnxEngine(weights.path, device=device, runtime=runtime, per_request=PER_REQUEST)
        self._side_px = self._engine.input_shape[-1]
        self._check(weights)

    def _check(self, weights: ResolvedWeights) -> None:
        taken = self._engine.input_shape
        given: tuple[int, ...] = ()
        if len(taken) == 4 and taken[0] == -1 and taken[1:] == (3, self._side_px, self._side_px) and self._side_px > 0:
            given = self._engine(np.zeros((1, *taken[1:]), np.float32)).shape
        if given != (1, NUM_JOINTS, 3):
            raise WeightsError(
                f"{weights.path} takes {taken} and gives {given}; a pose net takes (persons, 3, S, S) and gives "
                f"(persons, {NUM_JOINTS}, 3)"
            )

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Finds the joints of the persons of N frames.

        For each frame (P, 17, 3), in the order of its boxes: x and y in pixels of the frame, score 0..1.
        """
        places = [
            (image, square_around(box))
            for image, found in zip(images, persons, strict=True)
            for box in found.boxes_xyxy_px
        ]
        joints = np.zeros((len(places), NUM_JOINTS, 3), np.float32)
        for start in range(0, len(places), self._batch_size):
            part = places[start : start + self._batch_size]
            joints[start : start + len(part)] = self._find(part)
        return np.split(joints, np.cumsum([len(found) for found in persons]))[:-1]

    def _find(self, places: Sequence[tuple[Image, Square]]) -> Floats:
        """Finds the joints (N, 17, 3) of N squares, in pixels of their frames."""
        cuts = np.stack([cut_square(image, square, self._side_px) for image, square in places])
        joints = self._engine(np.asarray(cuts.transpose(0, 3, 1, 2), np.float32))
        corners = np.array([square for _, square in places], np.float32)
        joints[:, :, :2] = joints[:, :, :2] * corners[:, None, 2:] + corners[:, None, :2]
        return joints


def square_around(box: Floats) -> Square:
    """Returns the square that is cut around a box (4,)."""
    left, top, right, bottom = (float(edge) for edge in box)
    side = max(1, round(MARGIN * max(right - left, bottom - top)))
    return round((left + right - side) / 2), round((top + bottom - side) / 2), side


def cut_square(image: Image, square: Square, side_px: int) -> Image:
    """Cuts a square and scales it to (S, S, 3); beyond the frame's edge its last pixels go on."""
    left, top, side = square
    rows, above, below = _span(top, side, image.shape[0])
    columns, before, behind = _span(left, side, image.shape[1])
    cut = image[rows, columns]
    if above or below or before or behind:
        cut = np.asarray(cv2.copyMakeBorder(cut, above, below, before, behind, cv2.BORDER_REPLICATE), np.uint8)
    scaling = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, (side_px, side_px), interpolation=scaling), np.uint8)


def _span(start: int, length: int, limit: int) -> tuple[slice, int, int]:
    """The pixels of a span that lie in 0..limit, at least one, and how many are beyond on either side."""
    first, last = (min(max(end, 0), limit - 1) for end in (start, start + length - 1))
    inside = last - first + 1
    before = min(max(0, -start), length - inside)
    return slice(first, last + 1), before, length - inside - before

"""Finds joints by a net that looks at one person at a time, such as the tuned MoveNet, from an ONNX file."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import WeightsError
from anomalylmm.models.openvino_streams import MAX_STREAMS, StreamedModel, num_cores
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.models.yolo import name_model
from anomalylmm.records import Detections, Floats, Image

LOGGER = logging.getLogger(__name__)
NUM_JOINTS = 17
MARGIN = 1.25  # side of the square cut around a person, over the longer side of the box


class MoveNetPose:
    """Cuts a square around each person and finds the joints in it; implements ``PoseEstimator``."""

    def __init__(
        self, weights: ResolvedWeights, *, runtime: str = "auto", device: str = "cpu", batch_size: int = 16
    ) -> None:
        """Loads the net.

        Args:
            weights: ``.onnx`` file: images (N, 3, S, S), RGB, 0..255, to joints (N, 17, 3) in 0..1 of the image, in
                COCO's order, with scores 0..1.
            runtime: What runs the file on a CPU: ``"openvino"``, ``"onnxruntime"``, or ``"auto"`` for the first that
                can.
            device: ``"cpu"`` or ``"cuda:0"``; a GPU is used by ONNX Runtime, where that was built for it.
            batch_size: Persons looked at together.

        Raises:
            WeightsError: The file is damaged, or holds no such net.
        """
        self.model_id = name_model(weights, device, runtime)
        self._batch_size = batch_size
        self._session: Any = open_session(weights.path, device)
        self._side_px = read_side(self._session, weights.path)
        self._streams = open_streams(weights.path, runtime) if self.model_id != weights.model_id else None

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Finds the joints of the persons of N frames.

        Gives for each frame (P, 17, 3), in the order of its boxes: x and y in pixels of the frame, score 0..1.
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
        return list(_part_by(joints, [len(found) for found in persons]))

    def _find(self, places: Sequence[tuple[Image, tuple[int, int, int]]]) -> Floats:
        """The joints (N, 17, 3) in pixels of the frames."""
        cuts = np.stack([cut_square(image, square, self._side_px) for image, square in places])
        pixels = np.ascontiguousarray(cuts.transpose(0, 3, 1, 2), np.float32)
        joints = np.array(self._streams(pixels)[0] if self._streams else self._run(pixels), np.float32)
        corners = np.array([square for _, square in places], np.float32)  # (N, 3): left, top, side
        joints[:, :, :2] = joints[:, :, :2] * corners[:, None, 2:] + corners[:, None, :2]
        return joints

    def _run(self, pixels: NDArray[np.float32]) -> Floats:
        return self._session.run(None, {self._session.get_inputs()[0].name: pixels})[0]


def square_around(box: Floats) -> tuple[int, int, int]:
    """The square that is cut around a box (4,): left, top and side in whole pixels of the frame."""
    left, top, right, bottom = (float(edge) for edge in box)
    side = max(1, round(MARGIN * max(right - left, bottom - top)))
    return round((left + right - side) / 2), round((top + bottom - side) / 2), side


def cut_square(image: Image, square: tuple[int, int, int], side_px: int) -> Image:
    """Cuts a square and scales it to (S, S, 3); beyond the frame's edge its last pixels go on."""
    left, top, side = square
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][np.ix_(rows - rows[0], columns - columns[0])]
    scaling = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return cv2.resize(cut, (side_px, side_px), interpolation=scaling)


def open_session(path: Path, device: str) -> Any:
    """Loads the file into ONNX Runtime.

    Raises:
        WeightsError: It can't be loaded.
    """
    import onnxruntime

    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device != "cpu" else ["CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # onnxruntime's errors have no base in common
        raise WeightsError(f"{path} can't be loaded as an ONNX model: {error}; fetch it again") from error


def read_side(session: Any, path: Path) -> int:
    """The side in pixels of the images that the net takes.

    Raises:
        WeightsError: It takes or gives something else than a pose net of this kind.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    taken, given = list(inputs[0].shape), list(outputs[0].shape)
    is_square = len(taken) == 4 and taken[1] == 3 and isinstance(taken[2], int) and taken[2] == taken[3]
    if len(inputs) != 1 or not is_square or given[1:] != [NUM_JOINTS, 3] or isinstance(taken[0], int):
        raise WeightsError(
            f"{path} takes {taken} and gives {given}; a pose net takes (persons, 3, S, S) and gives (persons, 17, 3)"
        )
    return int(taken[2])


def open_streams(path: Path, runtime: str) -> StreamedModel | None:
    """Loads the file into OpenVINO; None where only ``"auto"`` asks for it and it can't.

    Raises:
        WeightsError: OpenVINO is asked for by name and can't run the file.
    """
    try:
        return StreamedModel(path, min(MAX_STREAMS, num_cores()), precision="f32")
    except (ImportError, RuntimeError) as error:
        if runtime == "openvino":
            raise WeightsError(
                f'{path} can\'t be run by OpenVINO: {error}; install openvino or set pose.runtime = "onnxruntime"'
            ) from error
        LOGGER.warning("%s can't be run by OpenVINO: %s; ONNX Runtime runs it", path, error)
        return None


def _part_by(joints: Floats, counts: Sequence[int]) -> Iterator[Floats]:
    """Parts (N, 17, 3) into frames of so many persons."""
    start = 0
    for count in counts:
        yield joints[start : start + count]
        start += count

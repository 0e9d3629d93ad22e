"""Finds joints by one of ultralytics' pose models, which looks at whole frames, offline."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.footage.box_motion import overlaps
from anomalylmm.models.detect.yolo import choose_file, import_ultralytics, keeping_threads, same_size_batches
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.posture.features import NUM_JOINTS
from anomalylmm.records import Detections, Floats, Image

MIN_OVERLAP = 0.3  # of the box whose joints are wanted and the box that the pose model found
OPTIONS: dict[str, Any] = {"conf": 0.1, "imgsz": 640, "max_det": 100, "verbose": False, "save": False}


class YoloPose:
    """Finds the joints of everybody in a frame and gives them to the boxes they belong to; a ``PoseEstimator``."""

    def __init__(self, weights: ResolvedWeights, *, runtime: str, device: str) -> None:
        """Loads an ``.onnx`` file, or an allowed ``.pt`` file; the options are those of ``YoloDetector``.

        Raises:
            WeightsError: The file is damaged, or the model gives no joints of persons.
        """
        self.model_id = weights.model_id
        self._options = {**OPTIONS, "device": device}
        try:
            self._model = import_ultralytics().YOLO(str(choose_file(weights, device, runtime)), task="pose")
            with keeping_threads():
                result = self._model.predict(np.zeros((32, 32, 3), np.uint8), **self._options)[0]
        except Exception as error:  # the errors of onnxruntime and ultralytics have no base in common
            raise WeightsError(f"{weights.path} can't be loaded as a YOLO pose model: {error}") from error
        if result.keypoints is None or result.keypoints.data.shape[1:] not in {(NUM_JOINTS, 3), (0, 3)}:
            raise WeightsError(
                f"{weights.path} does not give {NUM_JOINTS} joints for each person; use one trained on COCO's joints"
            )

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Finds the joints of the persons of N frames.

        Returns for each frame (P, 17, 3), in the order of its boxes: x and y in pixels of the frame, score 0..1; zeros
        for a box in which the model found nobody.
        """
        results = [result for batch in same_size_batches(images) for result in self._look(batch)] if images else []
        return [give_joints(result, found) for result, found in zip(results, persons, strict=True)]

    def _look(self, batch: Sequence[Image]) -> Sequence[Any]:
        pictures = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in batch]  # as ultralytics expects
        return self._model.predict(pictures, **self._options)


def give_joints(result: Any, persons: Detections) -> Floats:
    """The joints (P, 17, 3) of the box that overlaps each person's most; no box is taken twice."""
    joints = np.zeros((len(persons), NUM_JOINTS, 3), np.float32)
    found = result.keypoints.data.cpu().numpy().astype(np.float32)
    if not len(found) or not len(persons):
        return joints
    shared = overlaps(persons.boxes_xyxy_px, result.boxes.xyxy.cpu().numpy())
    while shared.max() >= MIN_OVERLAP:
        person, number = np.unravel_index(int(shared.argmax()), shared.shape)
        joints[person] = found[number]
        shared[person], shared[:, number] = -1.0, -1.0
    return joints

"""Turns frames and boxes into bodies: an estimator finds the joints, and the head reads the stills."""

from collections.abc import Sequence

from anomalylmm.posture.head import PostureHead
from anomalylmm.protocols import PoseEstimator
from anomalylmm.records import Bodies, Detections, Image


class BodyReader:
    """Joints and postures of detected persons."""

    def __init__(self, estimator: PoseEstimator, head: PostureHead) -> None:
        self.estimator = estimator
        self.head = head

    def read(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Bodies]:
        """Reads the persons of N frames; one ``Bodies`` per frame."""
        found = self.estimator.estimate(images, persons)
        return [Bodies(keypoints=keypoints, stills=self.head.read(keypoints)) for keypoints in found]

"""What every ``PoseEstimator`` promises."""

from collections.abc import Sequence

import numpy as np
import pytest

from anomalylmm.protocols import PoseEstimator
from anomalylmm.records import Detections, Image

BOXES = [(10, 20, 60, 110), (0, 0, 30, 12), (-5, 40, 40, 130)]


def persons(boxes: Sequence[tuple[int, ...]]) -> Detections:
    return Detections(
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.8, np.float32)
    )


def picture(height: int, width: int) -> Image:
    return np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_no_frames_give_no_joints(pose: PoseEstimator) -> None:
    assert pose.estimate([], []) == []


def test_frames_without_persons_give_no_joints(pose: PoseEstimator) -> None:
    found = pose.estimate([picture(120, 160)] * 2, [persons([])] * 2)
    assert [joints.shape for joints in found] == [(0, 17, 3), (0, 17, 3)]


def test_a_batch_gives_what_each_frame_alone_gives(pose: PoseEstimator) -> None:
    frames = [picture(120, 160), picture(140, 90), picture(77, 301)]
    found = [persons(BOXES), persons([]), persons(BOXES[:1])]
    together = pose.estimate(frames, found)
    assert [len(joints) for joints in together] == [3, 0, 1]
    for frame, detections, joints in zip(frames, found, together, strict=True):
        np.testing.assert_allclose(joints, pose.estimate([frame], [detections])[0], atol=0.05)


@pytest.mark.parametrize("size", [(120, 160), (77, 301), (31, 20), (2000, 900)])
def test_joints_lie_near_their_box_in_frames_of_any_size(pose: PoseEstimator, size: tuple[int, int]) -> None:
    height, width = size
    boxes = [(0, 0, width, height), (width // 4, height // 4, width // 2, height // 2), (5, 5, 5, 5)]
    joints = pose.estimate([picture(height, width)], [persons(boxes)])[0]
    assert joints.dtype == np.float32
    assert ((joints[:, :, 2] >= 0) & (joints[:, :, 2] <= 1)).all()
    for box, placed in zip(np.array(boxes, np.float32), joints[:, :, :2], strict=True):
        far = np.abs(placed - (box[:2] + box[2:]) / 2).max()
        assert far <= max(box[2] - box[0], box[3] - box[1]) + 2


def test_the_model_has_an_id(pose: PoseEstimator) -> None:
    assert pose.model_id

"""The teacher of the pocket person detector: which boxes it writes, and how they are found."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomalylmm.records import Detections, Floats, Image
from benchmarks.pocket.nanodet import teach
from benchmarks.pocket.nanodet.boxes import BoxFinder, suppress
from benchmarks.pocket.nanodet.pictures import read_folder


class FixedJoints:
    """Finds the same joints in every picture; a pose estimator to test with."""

    model_id = "fixed"

    def __init__(self, joints: Floats) -> None:
        self.joints = joints

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Gives the joints of everybody."""
        assert len(images) == len(persons)
        return [np.stack([self.joints] * len(found)) for found in persons]


class WhiteFinder(BoxFinder):
    """Finds the white rectangle of a picture, without a net."""

    def __init__(self) -> None:
        self.size = 416

    def find(self, image: Image, threshold: float) -> tuple[Floats, Floats]:
        """Gives the box of the white pixels."""
        y, x = np.nonzero(image[..., 0])
        box = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
        return box, np.full(1, threshold + 0.1, np.float32)


def make_joints(score: float = 0.9) -> Floats:
    """Joints (17, 3) between (40, 30) and (60, 90)."""
    x, y = np.linspace(40, 60, 17), np.linspace(30, 90, 17)
    return np.stack([x, y, np.full(17, score)], axis=1).astype(np.float32)


BOXES = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]], np.float32)


@pytest.mark.parametrize(
    ("scores", "alone", "number"),
    [
        ((0.9, 0.8, 0.7), True, 1),
        ((teach.SURE_ALONE + 0.01, 0.1, 0.1), True, 1),
        ((teach.SURE_ALONE - 0.01, 0.1, 0.1), True, None),
        ((0.9, 0.8, 0.7), False, 3),
        ((0.9, 0.8, 0.1), False, 2),
        ((0.9, 0.8, (teach.LIKELY + teach.SURE) / 2), False, None),
        ((0.1, 0.1, 0.1), False, None),
    ],
)
def test_a_frame_is_used_only_if_it_is_sure(scores: tuple[float, ...], alone: bool, number: int | None) -> None:
    chosen = teach.choose(BOXES, np.array(scores, np.float32), alone=alone)
    assert (None if chosen is None else len(chosen)) == number


@pytest.mark.parametrize("alone", [True, False])
def test_a_frame_without_boxes_is_not_used(alone: bool) -> None:
    assert teach.choose(BOXES[:0], np.zeros(0, np.float32), alone=alone) is None


def test_a_box_that_is_far_too_large_is_drawn_anew_around_the_joints() -> None:
    image, box = np.zeros((100, 200, 3), np.uint8), np.array([0, 0, 200, 100], np.float32)
    found = teach.around_joints(image, box, FixedJoints(make_joints()))
    margin = teach.JOINT_MARGIN * 60
    np.testing.assert_allclose(found, [[40 - margin, 30 - margin, 60 + margin, 90 + margin]], atol=1e-3)


def test_a_box_drawn_around_joints_ends_with_the_picture() -> None:
    image, box = np.zeros((91, 200, 3), np.uint8), np.array([0, 0, 200, 91], np.float32)
    found = teach.around_joints(image, box, FixedJoints(make_joints()))
    assert found is not None
    assert found[0, 3] == 91


def test_joints_that_are_not_sure_do_not_shape_the_box() -> None:
    joints = make_joints()
    joints[16] = (190, 99, 0.1)
    image, box = np.zeros((100, 200, 3), np.uint8), np.array([0, 0, 200, 100], np.float32)
    found = teach.around_joints(image, box, FixedJoints(joints))
    assert found is not None
    assert found[0, 2] < 70


def test_no_box_is_drawn_where_too_few_joints_are_sure() -> None:
    joints = make_joints()
    joints[5 + teach.MIN_JOINTS - 1 :, 2] = 0.0  # the face is sure, but does not count
    image, box = np.zeros((100, 200, 3), np.uint8), np.array([30, 20, 70, 95], np.float32)
    assert teach.around_joints(image, box, FixedJoints(joints)) is None


def test_frames_are_taken_at_a_regular_distance_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (1200, 40))
    for number in range(10):
        writer.write(np.full((40, 1200, 3), (20 * number, 0, 0), np.uint8))
    writer.release()
    frames = list(teach.iter_frames(teach.Footage(path=path, every_seconds=0.25)))
    assert [seconds for seconds, _ in frames] == pytest.approx([0.0, 0.3, 0.5, 0.8])
    assert all(image.shape == (32, 960, 3) for _, image in frames)
    blue = [float(image[..., 2].mean()) for _, image in frames]
    np.testing.assert_allclose(blue, [0, 60, 100, 160], atol=6)
    early = teach.iter_frames(teach.Footage(path=path, every_seconds=0.25, stop_seconds=0.5))
    assert [seconds for seconds, _ in early] == pytest.approx([0.0, 0.3])


def test_labels_of_a_picture_are_written_so_that_they_can_be_learned_from(tmp_path: Path) -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:90, 30:70] = 255
    cv2.imwrite(str(tmp_path / "one.png"), image)
    footage = [teach.Footage(path=tmp_path / "one.png")]
    assert teach.write_labels(footage, WhiteFinder(), FixedJoints(make_joints()), tmp_path / "out") == 0
    footage = [teach.Footage(path=tmp_path / "one.png", alone=True)]
    assert teach.write_labels(footage, WhiteFinder(), FixedJoints(make_joints()), tmp_path / "out") == 1
    (row,) = read_folder(tmp_path / "out")
    x0, y0, x1, y1 = (row.boxes[0] * [200, 100, 200, 100]).tolist()
    assert 30 <= x0 < 40
    assert 60 < x1 <= 70
    assert 20 <= y0 < 30
    assert 90 <= y1 <= 95


def test_boxes_found_in_turned_pictures_are_turned_back() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:90, 30:70] = 255
    boxes, scores = WhiteFinder().find_turned(image, 0.3)
    np.testing.assert_allclose(boxes, [[30, 20, 70, 90]])
    assert scores.tolist() == pytest.approx([0.4])


def test_of_overlapping_boxes_the_strongest_is_kept_best_first() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    kept, scores = suppress(boxes, np.array([0.5, 0.6, 0.9], np.float32))
    np.testing.assert_array_equal(kept, boxes[[2, 1]])
    np.testing.assert_allclose(scores, [0.9, 0.6])


def test_nothing_is_left_of_no_boxes() -> None:
    kept, scores = suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert kept.shape == (0, 4)
    assert scores.shape == (0,)

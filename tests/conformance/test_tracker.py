"""What every ``Tracker`` promises."""

import numpy as np

from anomalylmm.protocols import Tracker
from anomalylmm.records import Detections

FRAME = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)


def two_walkers(step: int) -> Detections:
    boxes = [[20 + 4 * step, 40, 60 + 4 * step, 160], [250 - 4 * step, 60, 290 - 4 * step, 180]]
    return Detections(boxes_xyxy_px=np.array(boxes, np.float32), scores=np.array([0.9, 0.8], np.float32))


def test_two_walkers_keep_their_numbers(tracker: Tracker) -> None:
    numbers = [tracker.update(two_walkers(step), FRAME).tolist() for step in range(6)]
    assert numbers[-1] == numbers[2]
    assert len(set(numbers[-1])) == 2
    assert all(number >= 0 for number in numbers[-1])


def test_an_empty_frame_has_no_numbers(tracker: Tracker) -> None:
    tracker.update(two_walkers(0), FRAME)
    empty = Detections(boxes_xyxy_px=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))
    assert tracker.update(empty, FRAME).shape == (0,)


def test_numbers_come_in_the_order_of_the_detections(tracker: Tracker) -> None:
    for step in range(3):
        before = tracker.update(two_walkers(step), FRAME)
    now = two_walkers(3)
    turned = Detections(boxes_xyxy_px=now.boxes_xyxy_px[::-1], scores=now.scores[::-1])
    after = tracker.update(turned, FRAME)
    assert after.dtype == np.int64
    assert set(after.tolist()) == set(before.tolist())

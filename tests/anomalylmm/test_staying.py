"""Faint detections that stay in one place."""

import numpy as np
import pytest

from anomalylmm.crops import overlaps
from anomalylmm.records import Detections
from anomalylmm.staying import StayingDetections

LYING = (100.0, 200.0, 220.0, 260.0)


def found(*boxes: tuple[float, ...]) -> Detections:
    return Detections(
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.3, np.float32)
    )


def look(staying: StayingDetections, pattern: str, drift: float = 0.0) -> list[bool]:
    """What is told of a person seen where the pattern has an x; moved by ``drift`` pixels a look."""
    told = []
    for number, sign in enumerate(pattern):
        box = np.add(LYING, [drift * number, 0] * 2)
        told.append(bool(staying.update(found(tuple(box)) if sign == "x" else found()).any()))
    return told


def test_it_has_stayed_once_it_was_there_for_so_many_looks() -> None:
    assert look(StayingDetections(least_looks=6, most_missed=3), "xxxxxxxx") == [False] * 6 + [True] * 2


def test_a_third_of_the_looks_may_miss_it_but_not_more() -> None:
    assert look(StayingDetections(least_looks=6, most_missed=3), "xx.xx.xx")[-1]
    assert not any(look(StayingDetections(least_looks=6, most_missed=3), "x..x..x.."))


def test_a_place_without_anybody_for_too_long_is_forgotten() -> None:
    assert look(StayingDetections(least_looks=6, most_missed=2), "xxxxxxx...xxxxxx")[10:] == [False] * 6


def test_who_moves_does_not_stay_and_a_little_unrest_is_no_moving() -> None:
    assert not any(look(StayingDetections(least_looks=6, most_missed=3), "x" * 12, drift=16))
    assert look(StayingDetections(least_looks=6, most_missed=3), "x" * 12, drift=1)[-1]


def test_two_detections_of_one_frame_count_once_and_each_place_for_itself() -> None:
    staying = StayingDetections(least_looks=3, most_missed=1)
    twice, other = np.add(LYING, 2), (400.0, 50.0, 440.0, 150.0)
    for _ in range(2):
        assert not staying.update(found(LYING, tuple(twice))).any()
        staying.update(found())
    told = [staying.update(found(LYING, other)).tolist() for _ in range(4)]
    assert told[-1] == [True, True]
    assert told[0] == [True, False]


def test_nothing_stays_where_it_is_switched_off() -> None:
    assert not any(look(StayingDetections(least_looks=0, most_missed=3), "x" * 20))


@pytest.mark.parametrize(("box", "share"), [
    (LYING, 1), ((160.0, 200.0, 280.0, 260.0), 1 / 3), ((220.0, 200.0, 300.0, 260.0), 0), ((5.0, 5.0, 5.0, 5.0), 0),
])  # fmt: skip
def test_the_overlap_is_the_shared_part_of_both(box: tuple[float, ...], share: float) -> None:
    assert overlaps(np.array([LYING], np.float32), np.array(box, np.float32)) == pytest.approx([share], abs=1e-6)

"""Who is followed and whose heads are blurred."""

import numpy as np

from anomalylmm.records import Floats
from flows.export.bystanders import Sighting, bystander_heads, follow, head_region


def walk(*lefts: float | None) -> Floats:
    boxes = [(left, 10.0, left + 20.0, 70.0) for left in lefts if left is not None]
    return np.array(boxes, np.float32).reshape(-1, 4)


TIMES = [number / 10 for number in range(5)]


def seen(at: float, left: float) -> Sighting:
    return Sighting(pts_seconds=at, box_xyxy_px=(left, 10, left + 20, 70))


def test_a_person_is_followed_forward_and_backward_from_one_sighting() -> None:
    boxes = [walk(100 - 4 * number, 10 + 4 * number) for number in range(5)]
    assert follow(TIMES, boxes, seen(0.2, 18)) == [1, 1, 1, 1, 1]


def test_a_person_who_is_missed_for_a_moment_is_found_again_and_one_who_left_is_not() -> None:
    boxes = [walk(10), walk(), walk(12), walk(200), walk(200)]
    assert follow(TIMES, boxes, seen(0, 10)) == [0, -1, 0, -1, -1]
    assert follow([0.0, 1.0, 2.1], [walk(10), walk(), walk(10)], seen(0, 10)) == [0, -1, -1]


def test_nobody_is_taken_for_the_asked_person_without_a_sighting_that_fits() -> None:
    boxes = [walk(10)] * 5
    assert follow(TIMES, boxes, None) == [-1] * 5
    assert follow(TIMES, boxes, seen(0.2, 90)) == [-1] * 5
    assert follow(TIMES, boxes, seen(9.0, 10)) == [-1] * 5
    assert follow([], [], seen(0.2, 10)) == []


def test_a_second_box_around_the_asked_person_is_no_bystander_and_one_beside_them_is() -> None:
    boxes = walk(10, 14, 24)
    assert bystander_heads([0.0], [boxes], [0]) == [[head_region(boxes[2])]]


def test_heads_of_others_are_held_over_a_frame_that_missed_them() -> None:
    boxes = [walk(10, 100), walk(10), walk(10, 104)]
    regions = bystander_heads([0.0, 0.1, 0.2], boxes, [0, 0, 0])
    assert len(regions[1]) == 2
    assert all(region[0] > 90 for region in regions[1])
    far = bystander_heads([0.0, 1.0, 2.0], boxes, [0, 0, 0])
    assert [len(found) for found in far] == [1, 0, 1]


def test_where_the_asked_person_is_not_recognized_everybody_is_blurred() -> None:
    assert len(bystander_heads([0.0], [walk(10, 100)], [-1])[0]) == 2


def test_the_head_of_a_standing_person_is_above_and_of_a_lying_one_anywhere() -> None:
    _, top, _, low = head_region((0, 0, 20, 80))
    assert (top < 0, low) == (True, 20)
    assert head_region((0, 0, 80, 20))[3] == 20

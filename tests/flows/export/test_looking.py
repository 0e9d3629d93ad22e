"""Which frames the detector looks at, and what is taken to be in the others."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from anomalylmm.records import Floats
from flows.export.looking import fill_gaps, pair_boxes

TIMES = [number / 25 for number in range(51)]


def boxes(*lefts: float) -> Floats:
    return np.array([(left, 10.0, left + 20.0, 70.0) for left in lefts], np.float32).reshape(-1, 4)


def look_at(scene: Callable[[float], Floats]) -> tuple[list[Floats], list[int]]:
    looked: list[int] = []

    def detect(places: Sequence[int]) -> list[Floats]:
        looked.extend(places)
        return [scene(TIMES[place]) for place in places]

    return fill_gaps(TIMES, detect), looked


def test_people_who_move_slowly_are_seen_in_every_frame_from_few_looks() -> None:
    found, looked = look_at(
        lambda at: boxes(100 - 10 * at, 20 * at) if int(at * 25) % 3 else boxes(20 * at, 100 - 10 * at)
    )
    assert len(looked) <= 8
    for at, frame in zip(TIMES, found, strict=True):
        assert sorted(frame[:, 0].tolist()) == pytest.approx(sorted((20 * at, 100 - 10 * at)), abs=1e-3)


def test_where_somebody_appears_it_looks_more_closely_and_misses_them_nowhere_for_long() -> None:
    found, looked = look_at(lambda at: boxes(10, 200) if at >= 0.93 else boxes(10))
    assert len(looked) <= 12
    first = next(at for at, frame in zip(TIMES, found, strict=True) if len(frame) == 2)
    assert first == pytest.approx(0.93, abs=0.06)
    assert all(len(frame) == (2 if at >= first else 1) for at, frame in zip(TIMES, found, strict=True))


def test_no_frame_of_a_slow_camera_and_none_alone_is_passed_over() -> None:
    looked: list[int] = []

    def detect(places: Sequence[int]) -> list[Floats]:
        looked.extend(places)
        return [boxes() for _ in places]

    assert len(fill_gaps([0.0, 1.0, 2.0], detect)) == 3
    assert sorted(looked) == [0, 1, 2]
    assert len(fill_gaps([5.0], detect)) == 1


@pytest.mark.parametrize(
    ("first", "last", "pairs"),
    [((), (), []), ((10, 50), (52, 12), [1, 0]), ((10,), (), None), ((10,), (40,), None), ((10, 12), (11, 90), None)],
)
def test_people_are_the_same_where_each_has_one_box_near_theirs(
    first: tuple[float, ...], last: tuple[float, ...], pairs: list[int] | None
) -> None:
    assert pair_boxes(boxes(*first), boxes(*last)) == pairs

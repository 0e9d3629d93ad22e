"""Clocks that stand still, start again or leap."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.models.video.reading.steady_clock import SteadyClock, is_steady

FRAME = 0.125


def read(said: Sequence[float | None], start: float = 0.0) -> list[float]:
    clock = SteadyClock(start)
    times = (clock.read(seconds, FRAME) for seconds in said)
    return [seconds for seconds in times if seconds is not None]


def every(count: int, first: float = 0.0) -> list[float]:
    return [first + number * FRAME for number in range(count)]


def test_a_good_clock_is_left_as_it_is() -> None:
    assert read(every(20, first=7.0), start=7.0) == every(20)


def test_a_clock_that_starts_again_goes_on_where_it_ended() -> None:
    times = read([*every(20), *every(20)])
    assert len(times) == 38
    assert times[-1] == pytest.approx(39 * FRAME)


def test_a_clock_that_stands_still_or_says_nothing_loses_two_frames_at_most() -> None:
    assert len(read([1.0] * 30, start=1.0)) == 28
    assert read([None] * 30) == pytest.approx(every(30))


def test_one_frame_off_the_clock_moves_no_other() -> None:
    said = every(20)
    said[10] = 500_000.0
    assert read(said) == [*every(10), *every(20)[11:]]


def test_a_leap_of_years_is_a_broken_clock_and_a_pause_of_an_hour_is_not() -> None:
    assert read([*every(5), *every(5, first=1e9)])[-1] < 2.0
    assert read([*every(5), *every(5, first=3600.0)])[-1] == 3600.5


@given(st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_times_only_rise_and_no_more_than_two_frames_in_three_are_left_out(said: list[float | None]) -> None:
    times = read(said)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert len(times) >= len(said) // 3


def test_what_was_delivered_already_is_passed_over_on_the_way_from_the_key_frame() -> None:
    clock = SteadyClock(0.0, last_seconds=1.0)
    assert [clock.read(seconds, FRAME) for seconds in every(12)] == [None] * 9 + [1.125, 1.25, 1.375]


def test_frames_out_of_order_are_steady_and_a_restart_or_a_standstill_is_not() -> None:
    assert is_steady([0.0, 0.3, 0.1, 0.2, 0.4])
    assert not is_steady([*every(20), *every(3, first=0.01)])
    assert not is_steady([0.0, 0.1, 0.1])
    assert not is_steady([0.0, 1e7])

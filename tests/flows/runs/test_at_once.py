"""Several pieces of work at once."""

import threading
from collections.abc import Generator, Iterator
from contextvars import ContextVar
from itertools import count

import pytest

from flows.runs import at_once
from flows.runs.at_once import StoppedError, choose_number, until_stopped, work_ahead, work_at_once


@pytest.mark.parametrize(
    ("cores", "asked", "items", "number"),
    [
        (1, 0, 9, 2),
        (8, 0, 9, 2),
        (64, 0, 9, 8),
        (64, 0, 3, 3),
        (2, 1, 9, 1),
        (2, 4, 3, 3),
        (2, 0, 0, 1),
    ],
)
def test_the_default_is_two_or_one_for_every_eight_cores(
    cores: int, asked: int, items: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once.os, "sched_getaffinity", lambda _: range(cores))
    assert choose_number(asked, items) == number


@pytest.mark.parametrize("number", [1, 3])
def test_results_come_in_order_and_the_limit_is_kept(number: int) -> None:
    lock, active, most, together = threading.Lock(), 0, 0, threading.Barrier(number)

    def work(item: int, stop: threading.Event) -> int:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        if item < number:
            together.wait(60)
        stop.wait(0.01 * (5 - item))
        with lock:
            active -= 1
        return item * item

    assert work_at_once(work, range(5), number) == [0, 1, 4, 9, 16]
    assert most == number


def test_work_runs_in_the_context_of_the_caller() -> None:
    run = ContextVar("run", default="none")
    run.set("mine")
    assert work_at_once(lambda item, _: f"{run.get()} {item}", range(2), 2) == ["mine 0", "mine 1"]


def test_the_first_error_stops_all_other_work_and_is_the_one_raised() -> None:
    ended: list[int] = []

    def endless(stop: threading.Event) -> Generator[int, None, None]:
        for number in count():
            stop.wait(0.01)
            yield number

    def work(item: int, stop: threading.Event) -> None:
        if item == 1:
            raise ValueError("broken")
        try:
            list(until_stopped(endless(stop), stop))
        except StoppedError:
            ended.append(item)
            raise

    with pytest.raises(ValueError, match="broken"):
        work_at_once(work, range(9), 2)
    assert 0 in ended  # it would not have ended by itself


def test_work_ahead_gives_results_in_order_and_takes_no_more_items_than_it_may() -> None:
    taken: list[int] = []
    begun = threading.Barrier(3, timeout=20)

    def items() -> Iterator[int]:
        for item in range(6):
            taken.append(item)
            yield item

    def work(item: int) -> int:
        begun.wait()  # passes only if three are worked on at once
        return -item

    results = work_ahead(work, items(), 3)
    assert next(results) == 0
    assert taken == [0, 1, 2]
    assert list(results) == [-1, -2, -3, -4, -5]


def test_an_error_ends_work_ahead() -> None:
    with pytest.raises(ZeroDivisionError):
        list(work_ahead(lambda item: 1 // item, [1, 0, 2], 2))

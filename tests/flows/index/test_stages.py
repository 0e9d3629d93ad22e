"""Stages that run ahead in separate threads."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.index.stages import Opener, overlapped


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_every_item_comes_once_and_in_order(items: list[int], ahead: int) -> None:
    assert list(overlapped(items, ahead=ahead, name="test")) == items


def test_an_error_is_raised_in_order() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stage = overlapped(broken(), ahead=3, name="test")
    assert next(stage) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stage)


def test_stopping_early_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.set()

    before = threading.active_count()
    stage = overlapped(overlapped(endless(), ahead=2, name="inner"), ahead=2, name="outer")
    assert next(stage) == 0
    stage.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_no_more_items_than_allowed_are_made_in_advance() -> None:
    made = []

    def counted() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stage = overlapped(counted(), ahead=3, name="test")
    next(stage)
    threading.Event().wait(0.3)
    assert len(made) <= 1 + 3 + 1
    stage.close()


class Opened:
    """An open object with its number."""

    def __init__(self, number: int, log: list[str]) -> None:
        self.number, self._log = number, log
        log.append(f"open {number}")

    def close(self) -> None:
        self._log.append(f"close {self.number}")


def test_the_next_is_opened_when_it_is_prepared_and_not_before() -> None:
    log: list[str] = []
    with Opener([1, 2, 3], lambda number: Opened(number, log)) as opener:
        for opened in opener:
            threading.Event().wait(0.05)
            log.append(f"use {opened.number}")
            if opened.number == 1:
                opener.prepare()
                opener.prepare()
                while "open 2" not in log:
                    threading.Event().wait(0.01)
            opened.close()
    assert log == [
        "open 1",
        "use 1",
        "open 2",
        "close 1",
        "use 2",
        "close 2",
        "open 3",
        "use 3",
        "close 3",
    ]


def test_an_object_opened_early_but_not_used_is_closed() -> None:
    log: list[str] = []
    with Opener([1, 2], lambda number: Opened(number, log)) as opener:
        next(iter(opener)).close()
        opener.prepare()
    assert log == ["open 1", "close 1", "open 2", "close 2"]


def test_an_error_in_opening_is_raised_in_order_or_not_at_all() -> None:
    def open_one(number: int) -> Opened:
        if number == 2:
            raise ValueError("broken")
        return Opened(number, [])

    with Opener([1, 2], open_one) as opener:
        opened = iter(opener)
        next(opened)
        opener.prepare()
        with pytest.raises(ValueError, match="broken"):
            next(opened)
    with Opener([2], open_one) as opener:
        opener.prepare()

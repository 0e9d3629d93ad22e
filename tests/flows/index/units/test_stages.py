"""Stages that run ahead in separate threads."""

import threading
from collections.abc import Generator, Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.index.units.stages import each, overlapped


@settings(max_examples=25)
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


def test_each_item_is_worked_on_and_the_source_is_closed_after_an_error() -> None:
    closed = []

    def numbers() -> Generator[int, None, None]:
        try:
            yield from (2, 1, 0)
        finally:
            closed.append(True)

    made = each(numbers(), lambda number: 2 // number)
    assert [next(made), next(made), closed] == [1, 2, []]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert closed == [True]

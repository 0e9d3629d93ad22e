"""Stages that run ahead in threads of their own."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.stages import overlapped


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_every_item_comes_once_and_in_order(items: list[int], ahead: int) -> None:
    assert list(overlapped(items, ahead=ahead, name="test")) == items


def test_an_error_comes_in_its_place() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stage = overlapped(broken(), ahead=3, name="test")
    assert next(stage) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stage)


def test_leaving_early_ends_the_thread_and_closes_the_source() -> None:
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


def test_no_more_than_the_bound_is_made_ahead() -> None:
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

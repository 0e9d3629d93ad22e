"""Overlapping stages: iterators that run ahead in their own thread, and measuring their time."""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _fill(source: Iterable[Item], waiting: "queue.Queue[Item | _End]", stop: threading.Event) -> None:
    error: BaseException | None = None
    iterator = iter(source)
    try:
        for item in iterator:
            if not _put(waiting, item, stop):
                break
    except BaseException as caught:  # noqa: BLE001 - passed to the consumer's thread and raised there
        error = caught
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
    _put(waiting, _End(error), stop)


def _put(waiting: "queue.Queue[Item | _End]", item: Item | _End, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def overlapped(source: Iterable[Item], *, ahead: int, name: str) -> Generator[Item, None, None]:
    """Yields the items of ``source``, which a separate thread produces up to ``ahead`` items in advance.

    An error in the source is raised here, after the items before it. Closing this iterator stops the thread and closes
    the source.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=ahead)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(source, waiting, stop), name=name, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


def timed(source: Generator[Item, None, None], add: Callable[[float], None]) -> Generator[Item, None, None]:
    """Yields items and reports how many seconds the source took for each; the consumer's time is not counted."""
    with closing(source):
        began = time.monotonic()
        for item in source:
            add(time.monotonic() - began)
            yield item
            began = time.monotonic()
        add(time.monotonic() - began)


def each(source: Generator[Item, None, None], work: Callable[[Item], Made]) -> Generator[Made, None, None]:
    """Yields what ``work`` makes of each item, and closes the source."""
    with closing(source):
        for item in source:
            yield work(item)

"""Overlapping stages: iterators that run ahead in their own thread, and measuring their time."""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

Item = TypeVar("Item")


class Closable(Protocol):
    """Something that must be closed."""

    def close(self) -> None:
        """Releases all resources."""


Made = TypeVar("Made", bound=Closable)


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


class Opener(Generic[Item, Made]):
    """Opens items one after another; ``prepare`` opens the next one early in a thread.

    The consumer closes what it receives. An object that was opened early but not used is closed by the opener.
    """

    def __init__(self, items: Iterable[Item], open_one: Callable[[Item], Made]) -> None:
        """Does not open anything yet."""
        self._items, self._open_one = iter(items), open_one
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._upcoming: Future[Made] | None = None

    def prepare(self) -> None:
        """Starts to open the next item unless that has already started."""
        if self._upcoming is None:
            for item in self._items:
                self._upcoming = self._threads.submit(self._open_one, item)
                break

    def __iter__(self) -> Iterator[Made]:
        """Yields the opened objects in order; an error is raised in place of its object."""
        while True:
            self.prepare()
            if self._upcoming is None:
                return
            taken, self._upcoming = self._upcoming, None
            yield taken.result()

    def __enter__(self) -> Self:
        """Returns the opener."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for an object that is being opened, and closes it."""
        self._threads.shutdown()
        if self._upcoming is not None and self._upcoming.exception() is None:
            self._upcoming.result().close()

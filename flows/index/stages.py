"""Overlapping stages: iterators that run ahead in their own thread, bounded, and how long they take."""

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
    """What has to be closed."""

    def close(self) -> None:
        """Gives back what is held."""


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
    except BaseException as caught:  # noqa: BLE001 - carried to the consumer's thread and raised there
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
    """Yields the items of ``source``, made up to ``ahead`` items early in a thread of their own.

    An error in the source is raised here, in order. Closing this iterator stops the thread and closes the source,
    so nothing is left running.
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
    """Passes items on and tells the seconds that each took to come; what is done with them does not count."""
    with closing(source):
        began = time.monotonic()
        for item in source:
            add(time.monotonic() - began)
            yield item
            began = time.monotonic()
        add(time.monotonic() - began)


class Opener(Generic[Item, Made]):
    """Opens one thing after another, and the next one early, in a thread, once ``prepare`` is called.

    Whoever iterates closes what he is given; what was opened early and not taken is closed with the opener.
    """

    def __init__(self, items: Iterable[Item], open_one: Callable[[Item], Made]) -> None:
        """Opens nothing yet."""
        self._items, self._open_one = iter(items), open_one
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._upcoming: Future[Made] | None = None

    def prepare(self) -> None:
        """Begins to open the next one, if there is one and it is not begun."""
        if self._upcoming is None:
            for item in self._items:
                self._upcoming = self._threads.submit(self._open_one, item)
                break

    def __iter__(self) -> Iterator[Made]:
        """Yields what was opened, in order; an error in opening is raised at its place."""
        while True:
            self.prepare()
            if self._upcoming is None:
                return
            taken, self._upcoming = self._upcoming, None
            yield taken.result()

    def __enter__(self) -> Self:
        """Gives the opener itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for what is being opened, and closes it."""
        self._threads.shutdown()
        if self._upcoming is not None and self._upcoming.exception() is None:
            self._upcoming.result().close()

"""Runs several pieces of work in threads at once; the first error stops all of them."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from typing import TypeVar

from flows.runs.stopping import raise_if_stopped

Item = TypeVar("Item")
Result = TypeVar("Result")
CORES_PER_UNIT = 8  # the stages of one unit keep about this many busy
MIN_UNITS = 2  # so that the machine is busy while one unit starts or is published


class StoppedError(Exception):
    """Work was stopped because other work failed."""


def choose_number(asked: int, items: int) -> int:
    """Returns how many items to work on at once; for 0 it is two, or one for every eight cores if that is more."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(asked or max(MIN_UNITS, cores // CORES_PER_UNIT), items))


def work_at_once(work: Callable[[Item, threading.Event], Result], items: Iterable[Item], number: int) -> list[Result]:
    """Works on several items at once and returns the results in the order of the items.

    After the first error or an interruption, the event given to all work is set, and the error is raised when all
    threads have ended. Each thread runs in the caller's context, which tells Prefect which run it belongs to.
    """
    stop = threading.Event()
    if number == 1:
        return [work(item, stop) for item in items]
    with ThreadPoolExecutor(number, thread_name_prefix="unit") as threads:
        futures = [threads.submit(copy_context().run, work, item, stop) for item in items]
        try:
            for failed in filter(Future.exception, wait(futures, return_when=FIRST_EXCEPTION).done):
                failed.result()
        except BaseException:  # Ctrl-C, too: the other threads are to end, and what waits is not begun
            stop.set()
            threads.shutdown(cancel_futures=True)
            raise
        return [future.result() for future in futures]


def work_ahead(work: Callable[[Item], Result], items: Iterable[Item], number: int) -> Iterator[Result]:
    """Yields the results in the order of the items, while up to ``number`` items are worked on.

    Items are taken, and results yielded, in the caller's thread. With 1, the work is done there, too.
    """
    if number == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(number, thread_name_prefix="ahead") as threads:
        begun: deque[Future[Result]] = deque()
        try:
            for item in items:
                begun.append(threads.submit(copy_context().run, work, item))
                if len(begun) == number:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        except BaseException:  # Ctrl-C and a closed generator, too: what waits is not begun
            threads.shutdown(cancel_futures=True)
            raise


def until_stopped(items: Generator[Item, None, None], stop: threading.Event) -> Generator[Item, None, None]:
    """Yields the items until the event is set or a signal stops the program; closes their source.

    Raises:
        StoppedError: The event is set.
    """
    with closing(items):
        for item in items:
            if stop.is_set():
                raise StoppedError
            raise_if_stopped()
            yield item

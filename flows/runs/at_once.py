"""Several pieces of work at once in threads, as many as the machine bears, all stopped by the first error."""

import os
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
CORES_EACH = 8  # one unit's stages keep so many busy
LEAST = 2  # so that one unit fills the machine while another begins or is published


class StoppedError(Exception):
    """Work was given up because other work failed."""


def choose_number(asked: int, items: int) -> int:
    """How many of some pieces of work to do at once; 0 asks for two, or one for every eight cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(asked or max(LEAST, cores // CORES_EACH), items))


def work_at_once(work: Callable[[Item, threading.Event], Result], items: Iterable[Item], number: int) -> list[Result]:
    """Works on several items at once; gives the results in the items' order.

    The first error, or an interruption, sets the event that all work is given, waits for it to end, and is raised.
    Each thread has the caller's context, by which Prefect knows its run.
    """
    stop = threading.Event()
    if number == 1:
        return [work(item, stop) for item in items]
    with ThreadPoolExecutor(number, thread_name_prefix="unit") as threads:
        futures = [threads.submit(copy_context().run, work, item, stop) for item in items]
        try:
            for failed in filter(Future.exception, wait(futures, return_when=FIRST_EXCEPTION).done):
                failed.result()
        except BaseException:
            stop.set()
            threads.shutdown(cancel_futures=True)
            raise
        return [future.result() for future in futures]


def until_stopped(items: Generator[Item, None, None], stop: threading.Event) -> Generator[Item, None, None]:
    """Passes items on until the event is set; closes their source.

    Raises:
        StoppedError: It is set.
    """
    with closing(items):
        for item in items:
            if stop.is_set():
                raise StoppedError
            yield item

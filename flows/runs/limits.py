"""Hard limits for commands that run SQL from users, because some DuckDB functions ignore DuckDB's own limits."""

import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalylmm.errors import QueryError

GRACE_SECONDS = 5.0  # for DuckDB to stop by itself
MEMORY_FACTOR = 2  # of DuckDB's limit, because the result needs memory too
SPARE_BYTES = 256 << 20


@contextmanager
def hard_limits(seconds: float, memory_bytes: int) -> Iterator[None]:
    """Exits the process a few seconds after its time is over, and limits its memory to about twice that of DuckDB.

    Both numbers are DuckDB's own limits; 0 means no limit.
    """
    timer = threading.Timer(seconds + GRACE_SECONDS, _end)
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        with _memory_limit(memory_bytes):
            yield
    finally:
        timer.cancel()


@contextmanager
def _memory_limit(memory_bytes: int) -> Iterator[None]:
    """Limits the data segment of this process."""
    if not memory_bytes:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    data_bytes = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    wanted = data_bytes + MEMORY_FACTOR * memory_bytes + SPARE_BYTES
    limits = [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *limits]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _end() -> None:
    sys.stderr.write("error: this SQL did not stop when its time was over, so the program exits; see --timeout\n")
    sys.stderr.flush()
    os._exit(QueryError.exit_code)

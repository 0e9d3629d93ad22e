"""Hard limits of a command that runs what people paste: some of DuckDB's functions look at none of its own."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalylmm.errors import QueryError

GRACE_SECONDS = 5.0  # for DuckDB to end by itself
SPARE = 2  # times the memory that DuckDB may take: the result is held beside it
SPARE_BYTES = 256 << 20


@contextmanager
def hard_limits(seconds: float, memory_bytes: int) -> Iterator[None]:
    """Ends the process some seconds after its time is over, and lets it have no more than twice its memory.

    Args:
        seconds: What DuckDB was told; 0 for no limit.
        memory_bytes: What DuckDB was told; 0 for no limit.
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
    """Limits the data of this process, where the system can (Linux)."""
    size = Path("/proc/self/statm")
    if not memory_bytes or not size.exists():
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    data_bytes = int(size.read_text().split()[5]) * resource.getpagesize()
    wanted = data_bytes + SPARE * memory_bytes + SPARE_BYTES
    limits = [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *limits]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _end() -> None:
    sys.stderr.write("error: this SQL did not end when its time was over, so the program ends; see --timeout\n")
    sys.stderr.flush()
    os._exit(QueryError.exit_code)

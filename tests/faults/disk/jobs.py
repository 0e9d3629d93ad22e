"""Jobs under a limit that the kernel sets on one process: the size of its files, or its memory."""

import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def small_files(job: Callable[..., Any], arguments: Mapping[str, Any], limit: int) -> Any:
    """Does a job with files of ``limit`` bytes at most."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        return job(**arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def small_memory(job: Callable[..., Any], arguments: Mapping[str, Any], limit: int) -> Any:
    """Does a job with ``limit`` bytes of address space more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    allowed = pages * resource.getpagesize() + limit
    resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.RLIM_INFINITY))
    try:
        return job(**arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

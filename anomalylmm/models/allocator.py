"""Keeps the memory of a long run from growing by what glibc holds back; does nothing where there is no glibc."""

import contextlib
import ctypes

MMAP_THRESHOLD = -3  # its number in glibc's malloc.h
LARGE_BYTES = 256 << 10  # frames and batches of them are larger, crops mostly not


def return_large_blocks() -> None:
    """Makes the allocator give large blocks back to the system as soon as they are freed.

    By default glibc raises the size from which it does so with each such block that is freed, up to 32 MiB, and then
    keeps frames of several threads in arenas that never shrink.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE_BYTES)

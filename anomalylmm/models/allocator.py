"""Keeps the memory of a long run from growing by what glibc holds back; does nothing without glibc."""

import contextlib
import ctypes

ARENAS, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1  # their numbers in glibc's malloc.h
LARGEST_BLOCK = 32 << 20  # of the heap; a batch of frames is smaller
LEFT_FREE = 64 << 20  # at the heap's end


def return_free_pages() -> None:
    """Returns free memory between blocks in use to the system; takes some milliseconds."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def share_one_heap() -> None:
    """Makes all threads share one heap, so that what one has freed serves the others.

    Frames pass through several threads. By default glibc gives each of them arenas of its own, which never shrink:
    memory grew by 28 % from ten minutes of video to an hour. Mapping each large block by itself keeps memory level too,
    but the system then clears every page of every batch again: detection took 1.15 times, encoding 1.8 times as long.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(ARENAS, 1)
        set_option(MMAP_THRESHOLD, LARGEST_BLOCK)
        set_option(TRIM_THRESHOLD, LEFT_FREE)

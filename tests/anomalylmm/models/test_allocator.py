"""All threads take from one heap, so that what one has freed serves the others."""

import subprocess
import sys

import pytest

from anomalylmm.models.frames import child_environment

PROGRAM = """
import ctypes, os, sys, threading
from anomalylmm.models.allocator import share_one_heap

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
if sys.argv[1] == "set":
    share_one_heap()
thread = threading.Thread(target=libc.malloc, args=(1000,))
thread.start()
thread.join()
libc.malloc_info(0, libc.fdopen(1, b"w"))
libc.fflush(None)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
@pytest.mark.parametrize(("given", "heaps"), [("set", 1), ("not set", 2)])
def test_threads_share_a_heap(given: str, heaps: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], check=True, capture_output=True, text=True, env=child_environment()
    )
    assert told.stdout.count("<heap nr=") == heaps

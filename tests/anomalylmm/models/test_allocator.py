"""All threads take from one heap, so that what one has freed serves the others; what is free goes back."""

import subprocess
import sys

import pytest

from anomalylmm.models.video.frames import child_environment

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


HOLES = """
import ctypes, sys
import psutil
from anomalylmm.models.allocator import return_free_pages, share_one_heap

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
share_one_heap()
blocks = [libc.malloc(64 << 10) for _ in range(1024)]
for block in blocks:
    ctypes.memset(block, 1, 64 << 10)
for block in blocks[:-1]:  # the last one keeps the heap's end where it is
    libc.free(block)
held = psutil.Process().memory_info().rss
return_free_pages()
sys.stdout.write(str((held - psutil.Process().memory_info().rss) >> 20))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_what_is_free_between_blocks_in_use_goes_back_to_the_system() -> None:
    told = subprocess.run(
        [sys.executable, "-c", HOLES], check=True, capture_output=True, text=True, env=child_environment()
    )
    assert int(told.stdout) >= 60

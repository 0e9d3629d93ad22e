"""Large blocks are mapped by themselves, so that they go back to the system when they are freed."""

import subprocess
import sys

import pytest

from anomalylmm.models.frames import child_environment

PROGRAM = """
import ctypes, sys
from anomalylmm.models.allocator import return_large_blocks

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena free fast maps mapped top a b c d".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
if sys.argv[1] == "set":
    return_large_blocks()
libc.free(libc.malloc(30 << 20))  # glibc takes 30 MiB for usual from here on
before = libc.mallinfo2().mapped
libc.malloc(4 << 20)
sys.stdout.write(str((libc.mallinfo2().mapped - before) >> 20))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
@pytest.mark.parametrize(("given", "mapped_mib"), [("set", 4), ("not set", 0)])
def test_a_large_block_is_mapped_by_itself(given: str, mapped_mib: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], check=True, capture_output=True, text=True, env=child_environment()
    )
    assert int(told.stdout) == mapped_mib

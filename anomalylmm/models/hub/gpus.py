"""Whether a computer can have a GPU at all, without the seconds that importing torch takes."""

import sys
from pathlib import Path

GPU_FILES = ("nvidia*", "dxg", "kfd")  # in /dev: of NVIDIA's driver, of Linux inside Windows, of AMD's driver


def may_have_gpu(devices: Path = Path("/dev")) -> bool:
    """Returns False only where torch would find no GPU: on Linux without a driver's device files."""
    return not sys.platform.startswith("linux") or any(any(devices.glob(name)) for name in GPU_FILES)

"""Runs programs so that every name they look up and every address they would reach is noted, and nothing gets out.

A small library in C is compiled and preloaded; so native code is seen as well, and a name is seen whoever resolves it.
System calls that go past the C library are not seen.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One look-up or one address."""

    what: str  # "lookup", "name" (of an address), "connect" or "send"
    name: str
    port: int

    @property
    def is_outside(self) -> bool:
        """Whether it leaves this machine; a resolver on this machine asks others."""
        return self.what == "lookup" or self.port == 53 or not ip_address(self.name).is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A folder with a home of its own, and the library."""

    folder: Path
    library: Path

    @property
    def home(self) -> Path:
        """The home of the programs, empty at first."""
        return self.folder / "home"

    @property
    def scratch(self) -> Path:
        """Their folder of temporary files."""
        return self.folder / "scratch"

    def environment(self) -> dict[str, str]:
        """Nothing from outside, such as ``CI``, by which several libraries keep quiet."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.scratch),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",  # a busy machine takes more than the usual 20
            "CUDA_VISIBLE_DEVICES": "",  # whose driver writes to the home
            "LD_PRELOAD": str(self.library),
            "NETWORK_RECORD": str(self.folder / "noted.txt"),
        }

    def run(self, *arguments: str) -> str:
        """Runs Python; gives what it prints."""
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def read(self) -> list[Noted]:
        """Everything noted so far, oldest first."""
        path = self.folder / "noted.txt"
        lines = [line.rsplit(maxsplit=2) for line in path.read_text().splitlines()] if path.exists() else []
        return [Noted(what=what, name=name, port=int(port)) for what, name, port in lines]


def build_recorder(folder: Path) -> Recorder:
    """Compiles the library; skips where that is not possible, which fails where ``CI`` is set."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or not sys.platform.startswith("linux"):
        reason = "what programs send is recorded on Linux and with a C compiler (cc) only"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    recorder = Recorder(folder=folder, library=folder / "recorder.so")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(recorder.library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    recorder.home.mkdir()
    recorder.scratch.mkdir()
    return recorder

"""Runs a program in a fresh process and looks at the memory that it and its children hold; knows nothing of it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

EVERY_SECONDS = 0.1  # memory is looked at, or more rarely, because a look at gigabytes takes a tenth of a second
MAX_LOOKING = 0.1  # share of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A program that has ended: what it told, how long it took, what was held meanwhile."""

    told: dict[str, Any]  # the last line of its output
    seconds: float  # with the start of the process
    looks: tuple[tuple[float, int], ...] = field(repr=False)  # seconds since the start, bytes; shared pages once

    def peak_mib(self, since: float = 0.0) -> float:
        """The most that was held together, from a share of the run on."""
        return max((held for at, held in self.looks if at >= since * self.seconds), default=0) / 2**20


def run_watched(command: Sequence[str]) -> Watched:
    """Runs a program whose last line is JSON to its end.

    Raises:
        SystemExit: It ended with an error, which it has told by itself.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        try:
            looks = tuple(_look(psutil.Process(process.pid)))
            if process.wait():
                raise SystemExit(f"{' '.join(command[1:4])} ended with {process.returncode}; its error is above")
        finally:
            process.kill()
        seconds = time.perf_counter() - began
        out.seek(0)
        return Watched(told=json.loads(out.readlines()[-1]), seconds=seconds, looks=looks)


def run_module(module: str, arguments: Sequence[str]) -> Watched:
    """Runs a module of this Python to its end.

    Raises:
        SystemExit: It ended with an error, which it has told by itself.
    """
    return run_watched([sys.executable, "-m", module, *arguments])


def _look(process: psutil.Process) -> Iterator[tuple[float, int]]:
    """Waits for a process, and gives when it was looked at and what it and its children held."""
    began = time.perf_counter()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        looking = time.perf_counter()
        held = sum(map(_memory_of, [process, *_children_of(process)]))
        yield looking - began, held
        time.sleep(max(EVERY_SECONDS, (time.perf_counter() - looking) / MAX_LOOKING))


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _memory_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0

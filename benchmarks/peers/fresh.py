"""Runs one side in a fresh process and watches it; what the side tells is JSON in its last line."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

EVERY_SECONDS = 0.1  # memory is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that went well."""

    told: dict[str, Any]
    seconds: float  # with the start of the process
    peak_mib: float  # of the process and its children together


def run_fresh(module: str, arguments: Sequence[str]) -> Ended:
    """Runs a module of this Python to its end."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=out)
        peak = _watch(psutil.Process(process.pid))
        if process.wait():
            raise SystemExit(f"{module} {arguments[0]} ended with {process.returncode}; its error is above")
        seconds = time.perf_counter() - began
        out.seek(0)
        return Ended(told=json.loads(out.readlines()[-1]), seconds=seconds, peak_mib=peak / 2**20)


def _watch(process: psutil.Process) -> int:
    """Waits for a process and gives the most memory that it and its children had together, shared pages once."""
    peak = 0
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        peak = max(peak, sum(map(_memory_of, [process, *_children_of(process)])))
        time.sleep(EVERY_SECONDS)
    return peak


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

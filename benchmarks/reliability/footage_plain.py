"""What plain decord and plain PyAV get from a file: a process that forks a child for each try and ends it in time.

Run as `python -m benchmarks.reliability.footage_plain`: a JSON list of paths on standard input, a JSON list of
tries on standard output. It is a program of its own so that it can fork before any thread is there.
"""

import json
import mmap
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 60.0
MEMORY_BYTES = 6 << 30
POLL_SECONDS = 0.01
MODULE = "benchmarks.reliability.footage_plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What one library got from one file."""

    num_frames: int
    ended: str  # "whole", "error", "killed" after the time limit, or the signal that it died of


def count_all(paths: Sequence[Path]) -> list[dict[str, Try]]:
    """Counts the frames that plain decord and plain PyAV decode of each file."""
    asked = json.dumps([str(path) for path in paths])
    command = [sys.executable, "-m", MODULE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
    said = subprocess.run(command, input=asked, capture_output=True, text=True, env=environment, check=True).stdout
    return [{name: Try(**found) for name, found in row.items()} for row in json.loads(said)]


def _count_pyav(path: str, note: Callable[[], None]) -> None:
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
            for _ in frames:
                note()


def _count_decord(path: str, note: Callable[[], None]) -> None:
    import decord

    reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
    for _ in range(len(reader)):
        reader.next().asnumpy()
        note()


def _try(count: Callable[[str, Callable[[], None]], None], path: str) -> Try:
    shared = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        _work(count, path, shared)
    deadline = time.monotonic() + LIMIT_SECONDS
    ended = ""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            ended = "killed"
            os.kill(child, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    code = os.waitstatus_to_exitcode(status)
    ended = ended or {0: "whole", 1: "error"}.get(code) or signal.Signals(-code).name
    return Try(num_frames=struct.unpack("q", shared[:8])[0], ended=ended)


def _work(count: Callable[[str, Callable[[], None]], None], path: str, shared: Any) -> None:
    """Counts, and ends this process."""
    seen = 0

    def note() -> None:
        nonlocal seen
        seen += 1
        shared[:8] = struct.pack("q", seen)

    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        count(path, note)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Reads paths, writes tries."""
    import av.logging
    import decord

    av.logging.set_level(av.logging.PANIC)
    decord.logging.set_level(decord.logging.QUIET)
    answer = os.fdopen(os.dup(1), "w")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    counters = {"decord": _count_decord, "pyav": _count_pyav}
    paths = json.load(sys.stdin)
    json.dump([{name: asdict(_try(count, path)) for name, count in counters.items()} for path in paths], answer)
    answer.close()


if __name__ == "__main__":
    main()

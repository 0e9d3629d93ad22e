"""One decoding process and the pipe from it; knows how a process ends, and no decoder."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from anomalylmm.errors import ArchiveError
from anomalylmm.models.video.wire import Fields, read_message

CHILD = "anomalylmm.models.video.decoding_child"
PIPE_BYTES = 1 << 20
LEAVING_SECONDS = 2.0  # from the end of the pipe to the end of the process


class ChildLostError(Exception):
    """The decoding child hangs or died; a new one takes over."""


class Child:
    """One decoding process and the pipe from it."""

    def __init__(self, task: Fields) -> None:
        """Starts the process; it ends when this object is closed or this process dies.

        Raises:
            ArchiveError: The system starts no process; that is no fault of the video.
        """
        command = [sys.executable, "-m", CHILD, json.dumps(task)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
            )
        except OSError as error:
            raise ArchiveError(
                f"no process could be started to decode {task['path']}: {error.strerror or error}; "
                "free memory, processes or open files of this machine and run again"
            ) from error
        if self._process.stdout is None:
            raise ChildLostError("the decoder has no pipe")
        self._pipe = self._process.stdout.fileno()
        widen_pipe(self._pipe)

    def receive(self, patience_seconds: float) -> tuple[Fields, bytearray]:
        """Waits for one message.

        Raises:
            ChildLostError: Nothing came in time, or the process ended.
        """
        return read_message(lambda count: self._read(count, patience_seconds))

    def _read(self, count: int, patience_seconds: float) -> bytearray:
        data = bytearray(count)
        view, filled = memoryview(data), 0
        while filled < count:
            ready, _, _ = select.select([self._pipe], [], [], patience_seconds)
            if not ready:
                raise ChildLostError(f"the decoder gave no sign of life for {patience_seconds:.0f} s")
            received = os.readv(self._pipe, [view[filled:]])
            if received == 0:
                raise ChildLostError(f"the decoder ended unasked ({self._how_it_ended()})")
            filled += received
        return data

    def _how_it_ended(self) -> str:
        """Names the signal or exit code; a process that closed its pipe and stays is killed."""
        try:
            code = self._process.wait(LEAVING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "it closed its pipe and did not end"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"exit code {code}"

    def close(self) -> None:
        """Kills the process and collects it; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid


def child_environment() -> dict[str, str]:
    """This process's environment, its import path, and one thread for each numeric library."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    search_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    own = {"PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **single, **own}


def widen_pipe(pipe: int) -> None:
    """Gives the pipe room for most of a frame, where the platform can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

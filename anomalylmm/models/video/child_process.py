"""The decoding process and the connection to it (JSON and pixels, no pickle); knows how it ends, and no decoder."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from anomalylmm.errors import ArchiveError

CHILD = "anomalylmm.models.video.children.decoding_child"
Fields = dict[str, Any]
LEAVING_SECONDS = 2.0  # from the end of the connection to the end of the process


class ChildLostError(Exception):
    """The decoding child hangs or died; a new one takes over."""


class Child:
    """One decoding process and the connection to it; it reads one video after another, as it is asked."""

    def __init__(self, module: str = CHILD) -> None:
        """Starts the process; it ends when this object is closed or this process dies.

        Args:
            module: What the process runs.

        Raises:
            ArchiveError: The system starts no process; that is no fault of the video.
        """
        self.num_asked = 0
        command = [sys.executable, "-m", module]
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env=child_environment(),
                    process_group=0,  # Ctrl-C reaches the parent only, which would take the child's end for damage
                )
                self._connection = Connection(ours.detach())
        except OSError as error:
            raise ArchiveError(
                f"no process could be started to decode videos: {error.strerror or error}; "
                "free memory, processes or open files of this machine and run again"
            ) from error

    def ask(self, task: Fields) -> None:
        """Asks for a video; if the process has ended, that shows when its answer is received."""
        self.num_asked += 1
        with contextlib.suppress(OSError):
            self._connection.send_bytes(json.dumps(task).encode())

    def receive(self, patience_seconds: float) -> tuple[Fields, bytearray]:
        """Waits for one message: fields, and pixels where they are a frame's.

        Raises:
            ChildLostError: Nothing came in time, or the process ended.
        """
        ours = socket.socket(fileno=self._connection.fileno())
        patience = struct.pack("ll", *divmod(max(1, int(patience_seconds * 1e6)), 1_000_000))  # 0 would wait forever
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)  # also ends a wait within a message
        try:
            fields: Fields = json.loads(self._connection.recv_bytes())
            pixels = bytearray(fields.get("height", 0) * fields.get("width", 0) * 3)
            _fill(ours, memoryview(pixels))
        except BlockingIOError as error:
            raise ChildLostError(f"the decoder gave no sign of life for {patience_seconds:.0f} s") from error
        except (EOFError, OSError) as error:
            raise ChildLostError(f"the decoder ended unasked ({self._how_it_ended()})") from error
        finally:
            ours.detach()
        return fields, pixels

    def _how_it_ended(self) -> str:
        """Names the signal or exit code; a process that closed its connection and stays is killed."""
        try:
            code = self._process.wait(LEAVING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "it closed its connection and did not end"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"exit code {code}"

    def close(self) -> None:
        """Kills the process and collects it; may be called twice."""
        self._process.kill()
        self._process.wait()
        self._connection.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid


def _fill(connection: socket.socket, room: memoryview) -> None:
    """Reads bytes straight to where they belong; a ``Connection`` would copy them twice.

    Raises:
        EOFError: The connection ended before.
    """
    while room:
        number = connection.recv_into(room)
        if not number:
            raise EOFError
        room = room[number:]


class ChildSupply:
    """Lends decoding processes, and keeps one that has read a video to its end for the next one if it may."""

    def __init__(self, *, max_videos: int = 1, module: str = CHILD) -> None:
        """Starts nothing.

        Args:
            max_videos: How many videos one process may read.
            module: What the processes run.
        """
        self._max_videos, self._module = max_videos, module
        self._kept: Child | None = None

    def take(self) -> Child:
        """Lends the process that was kept, or a new one.

        Raises:
            ArchiveError: The system starts no process.
        """
        kept, self._kept = self._kept, None
        return kept or Child(self._module)

    def give_back(self, child: Child) -> None:
        """Takes back a process that waits for the next video."""
        if self._kept is None and child.num_asked < self._max_videos:
            self._kept = child
        else:
            child.close()

    def close(self) -> None:
        """Ends the process that was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def child_environment() -> dict[str, str]:
    """This process's environment, its import path, and one thread for each numeric library."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    search_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    own = {"PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **single, **own}

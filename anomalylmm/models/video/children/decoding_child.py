"""The process that decodes videos: decord where it can be trusted, else PyAV; ``frames.py`` may kill it.

It must import fast and know neither torch nor the rest of the project but sampling and its parent's messages.
"""

import contextlib
import errno
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import av.logging
import numpy as np

from anomalylmm.footage.sampling import Sampler
from anomalylmm.footage.stillness import UsualSizes
from anomalylmm.models.allocator import return_free_pages
from anomalylmm.models.video.child_process import Fields
from anomalylmm.models.video.reading.decord_walk import DamageError, first_line, walk_decord
from anomalylmm.models.video.reading.pictures import shrink
from anomalylmm.models.video.reading.probe import Probe
from anomalylmm.models.video.reading.pyav_walk import DAMAGE_ERRORS, Picture, PyavWalk

ALIVE_SECONDS = 1.0
Habits = defaultdict[tuple[object, ...], UsualSizes]  # of the videos read so far, by codec and size of the picture
WANT_OF_MEMORY = (errno.ENOMEM, errno.EAGAIN)  # the second where a thread finds no room


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the parent asks for."""

    path: str
    sample_fps: float
    decoder: str  # "decord": decord, then PyAV where needed; "pyav": PyAV only
    after_seconds: float | None  # last time already delivered
    max_width_px: int | None
    memory_limit_bytes: int | None
    still_share: float | None = None  # share of changed pixels below which spans between key frames are left out


class ErrorLog:
    """Whatever FFmpeg writes to the process's standard error, watched by its size."""

    def __init__(self) -> None:
        """Replaces file descriptor 2 by a nameless file."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        os.dup2(self._file.fileno(), 2)

    def clear(self) -> None:
        """Forgets what was written about earlier videos."""
        self._file.seek(0)
        self._file.truncate()

    def size(self) -> int:
        """Bytes written about this video so far."""
        return os.fstat(self._file.fileno()).st_size


class Outlet:
    """Sends messages to the parent and signs of life where there is nothing to say."""

    def __init__(self, connection: Connection) -> None:
        """Takes the connection to the parent."""
        self._connection = connection
        self._last = time.monotonic()
        self.last_pts: float | None = None
        self.covered_seconds = 0.0

    def send(self, fields: Fields, payload: memoryview | bytes = b"") -> None:
        """Sends one message, then the bytes of a picture, whose number the message tells."""
        self._connection.send_bytes(json.dumps(fields).encode())
        rest = memoryview(payload)
        while rest:
            rest = rest[os.write(self._connection.fileno(), rest) :]
        self._last = time.monotonic()

    def send_picture(self, picture: Picture, max_width_px: int | None) -> None:
        """Sends one frame, made smaller where it is wider than allowed."""
        image = np.ascontiguousarray(shrink(picture.image, max_width_px))
        height, width = image.shape[:2]
        fields = {"kind": "frame", "pts": picture.pts_seconds, "height": height, "width": width}
        self.send(fields, image.data.cast("B"))
        self.last_pts = picture.pts_seconds

    def stay_alive(self) -> None:
        """Tells the parent that decoding goes on, at most once a second."""
        if time.monotonic() - self._last > ALIVE_SECONDS:
            self.send({"kind": "alive"})


def run(task: Task, outlet: Outlet, log: ErrorLog, habits: Habits) -> Fields:
    """Decodes the video and gives the closing message."""
    probe = Probe.of(Path(task.path))
    outlet.send(probe.fields())
    reason = ""
    if task.decoder == "decord" and probe.suits_decord and fits(task, probe):
        try:
            for picture in walk_decord(task.path, task.sample_fps, probe, log, outlet):
                outlet.send_picture(picture, task.max_width_px)
        except (DamageError, MemoryError) as error:
            reason = str(error)
        else:
            covered = outlet.covered_seconds
            return {"kind": "end", "decoders": ["decord"], "covered": covered, "lost": 0.0, "bad_packets": 0}
    decoders = ["decord"] if outlet.last_pts is not None else []
    return {**walk_pyav(task, probe, reason, log, outlet, habits), "decoders": [*decoders, "pyav"], "reason": reason}


def fits(task: Task, probe: Probe) -> bool:
    """Whether half the memory this process may have holds all frames of a video."""
    if task.memory_limit_bytes is None:
        return True
    frames = max(probe.num_frames, probe.seconds * probe.average_fps)
    return 0 < frames * probe.first.image.nbytes <= task.memory_limit_bytes / 2


@contextmanager
def openable_path(path: str) -> Iterator[str]:
    """Gives a path that both decoders can open: they take UTF-8 only, and a file's name may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        with Path(path).open("rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield path


def walk_pyav(task: Task, probe: Probe, reason: str, log: ErrorLog, outlet: Outlet, habits: Habits) -> Fields:
    """Sends what comes after the last frame sent, and gives the closing message without the decoders."""
    after = outlet.last_pts if outlet.last_pts is not None else task.after_seconds
    walk = PyavWalk(
        Path(task.path),
        Sampler(task.sample_fps),
        after,
        outlet.stay_alive,
        max_width_px=task.max_width_px,
        still_share=task.still_share,
        has_single_fields=probe.has_single_fields,
        usual=habits[probe.codec, *probe.first.image.shape],
    )
    for number, picture in enumerate(walk):
        outlet.send_picture(picture, task.max_width_px)
        if number == 0:
            return_free_pages()  # of reading the container's index: 70 MiB for ten hours
    is_damaged = bool(reason or walk.saw_damage or log.size())
    return {
        "kind": "end",
        "covered": walk.ledger.covered_seconds,
        "lost": walk.ledger.lost_seconds(is_damaged=is_damaged),
        "promised": walk.ledger.promised_seconds,
        "bad_packets": walk.bad_packets,
        "is_damaged": is_damaged,
    }


def die_with_parent() -> None:
    """Asks the kernel to end this process when its standard input, held open by the parent, is closed.

    A signal, not a thread: a hanging decoder may hold the interpreter's lock forever.
    """
    import fcntl

    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def limit_memory(limit_bytes: int | None) -> None:
    """Bounds the data of this process, or lifts the bound.

    Data, not addresses: for four frames of 8K decord reserved 5.1 GB of addresses and wrote 2.0 GB (measured).
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has such a bound
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard if limit_bytes is None else limit_bytes, hard))


def failure(error: Exception, limit_bytes: int | None) -> str:
    """Says why decoding ended, in words for a person; a bug of a library is named by its kind."""
    lacks_memory = isinstance(error, MemoryError) or getattr(error, "errno", 0) in WANT_OF_MEMORY
    if limit_bytes is not None and (lacks_memory or "failed to map segment" in str(error)):
        return f"decoding it needs more memory than the {limit_bytes >> 20} MiB that decode.memory_mib allows"
    if isinstance(error, (RuntimeError, MemoryError, *DAMAGE_ERRORS)):
        return first_line(error)
    return f"the decoder failed: {type(error).__name__}: {first_line(error)}"


def answer(task: Task, connection: Connection, log: ErrorLog, habits: Habits) -> None:
    """Sends the frames of one video and what became of it.

    Raises:
        ConnectionError: The parent has closed the connection.
    """
    log.clear()
    limit_memory(task.memory_limit_bytes)
    outlet = Outlet(connection)
    try:
        with openable_path(task.path) as path:
            closing = run(replace(task, path=path), outlet, log, habits)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the parent is to know why
        limit_memory(None)  # so that there is room to tell
        closing = {"kind": "error", "reason": failure(error, task.memory_limit_bytes)}
    outlet.send(closing)
    return_free_pages()


def let_ffmpeg_write_errors() -> None:
    """Has FFmpeg write errors to standard error, that is to ``ErrorLog``, by itself.

    PyAV's own way (``set_level``) needs the interpreter's lock in FFmpeg's threads: two passes of fifteen over a
    damaged H.265 file stood still for good (measured with PyAV 18.1).
    """
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


def serve(respond: Callable[[Fields, Connection, ErrorLog], None]) -> None:
    """Answers what the parent asks for, through what was standard output, until it closes the connection."""
    let_ffmpeg_write_errors()
    connection, log = Connection(os.dup(1)), ErrorLog()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with contextlib.suppress(ImportError, OSError):
        die_with_parent()
    with contextlib.suppress(ConnectionError, EOFError):
        while True:
            respond(json.loads(connection.recv_bytes()), connection, log)


if __name__ == "__main__":
    known = Habits(UsualSizes)
    serve(lambda fields, connection, log: answer(Task(**fields), connection, log, known))

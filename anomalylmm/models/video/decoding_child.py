"""The process that decodes videos: decord where it can be trusted, else PyAV; ``frames.py`` may kill it.

It must import fast and know neither torch nor the rest of the project but sampling and its parent's messages.

decord gives wrong frames without a word where a container has no index (MPEG-TS) and after damage, and gives up at the
first damaged packet. So it is used for indexed containers only, its first frame must equal PyAV's, and the first error
that its FFmpeg writes hands the rest of the video to PyAV. It shows both fields of interlaced frames at once, and takes
HD without color tags for BT.601, and of two tracks it may read the other, so those are PyAV's, too. It decodes ahead of
its reader without bound (3 GB of a video of three minutes whose reader paused, measured with decord2 3.4.0), so it gets
only videos that it may hold whole.
"""

import contextlib
import errno
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np

from anomalylmm.footage.sampling import Sampler
from anomalylmm.models.allocator import return_free_pages
from anomalylmm.models.video.child_process import PIECE_BYTES, Fields
from anomalylmm.models.video.pictures import shrink
from anomalylmm.models.video.probe import Probe
from anomalylmm.models.video.pyav_walk import DAMAGE_ERRORS, Picture, PyavWalk, num_threads, packet_times
from anomalylmm.models.video.steady_clock import is_steady

ALIVE_SECONDS = 1.0
WANT_OF_MEMORY = (errno.ENOMEM, errno.EAGAIN)  # the second where a thread finds no room
SAME_TIME_SECONDS = 0.02
SAME_PICTURE = 1.0  # mean difference of gray levels; measured 0.0 for equal frames


class DamageError(Exception):
    """decord can't be trusted from here on."""


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
        """Sends one message."""
        self._connection.send_bytes(json.dumps(fields).encode())
        for start in range(0, len(payload), PIECE_BYTES):
            self._connection.send_bytes(payload[start : start + PIECE_BYTES])
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


def walk_decord(task: Task, probe: Probe, log: ErrorLog, outlet: Outlet) -> Iterator[Picture]:
    """Yields sampled pictures, decoding in order only, never seeking.

    Raises:
        DamageError: decord failed, or wrote an error, or shows another first frame than PyAV.
    """
    try:
        import decord
    except ImportError as error:
        raise DamageError(f"it can't be loaded: {first_line(error)}") from error
    try:
        reader = decord.VideoReader(task.path, ctx=decord.cpu(0), num_threads=num_threads())
        spans = reader.get_frame_timestamp(np.arange(len(reader)))  # T,2: from, to
        times = exact_times(spans[:, 0], Path(task.path), outlet)
    except (decord.DECORDError, RuntimeError, AssertionError, *DAMAGE_ERRORS) as error:
        raise DamageError(first_line(error)) from error
    sampler, position = Sampler(task.sample_fps), 0
    for index, pts_seconds in enumerate(times):
        if not sampler.wants(pts_seconds):
            continue
        image = read_frame(reader, index - position, log, outlet)
        if position == 0 and not same_picture(image, probe.first.image):
            raise DamageError("its first frame differs from PyAV's")
        position = index + 1
        yield Picture(image=image, pts_seconds=pts_seconds)
    if position < len(spans):
        read_frame(reader, len(spans) - position - 1, log, outlet)
    outlet.covered_seconds = float(spans[-1, 1])


def exact_times(rounded: np.ndarray, path: Path, outlet: Outlet) -> list[float]:
    """Times of decord's frames, in double precision; decord's own are float32, off by 0.2 ms after an hour.

    Raises:
        DamageError: decord counts other frames, or places them elsewhere, than the container.
    """
    times = packet_times(path, outlet.stay_alive)
    if not is_steady(times):
        raise DamageError("its clock stands still, starts again or leaps")
    if not times:
        return [round(float(pts_seconds), 3) for pts_seconds in rounded]
    times.sort()
    if len(times) != len(rounded) or np.abs(np.array(times) - rounded).max() > SAME_TIME_SECONDS:
        raise DamageError("its frame times differ from the container's")
    return times


def read_frame(reader: Any, num_skipped: int, log: ErrorLog, outlet: Outlet) -> np.ndarray:
    """Decodes the frame that comes after some unwanted ones, frame by frame.

    decord's own ``skip_frames``, ``seek_accurate`` and ``get_batch`` are not used: they give frames of a wrong time
    where the frame rate varies and in HEVC (measured with decord2 3.4.0).

    Raises:
        DamageError: decord failed or wrote an error.
    """
    for _ in range(num_skipped):
        next_frame(reader, log)
        outlet.stay_alive()
    image: np.ndarray = next_frame(reader, log).asnumpy()
    return image


def next_frame(reader: Any, log: ErrorLog) -> Any:
    """Decodes one frame.

    Raises:
        DamageError: decord failed or wrote an error.
    """
    import decord

    try:
        frame = reader.next()
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise DamageError(first_line(error)) from error
    if log.size():
        raise DamageError("its FFmpeg met damaged data")
    return frame


def same_picture(image: np.ndarray, other: np.ndarray) -> bool:
    """Whether two decoders show the same frame."""
    if image.shape != other.shape:
        return False
    return float(np.abs(image.astype(np.int16) - other).mean()) < SAME_PICTURE


def first_line(error: BaseException) -> str:
    """The part of a native error's text that a person can use."""
    said = getattr(error, "strerror", None)  # of PyAV's and the system's errors
    if said:
        return str(said)
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else type(error).__name__


def run(task: Task, outlet: Outlet, log: ErrorLog) -> Fields:
    """Decodes the video and gives the closing message."""
    probe = Probe.of(Path(task.path))
    outlet.send(probe.fields())
    reason = ""
    if task.decoder == "decord" and probe.suits_decord and fits(task, probe):
        try:
            for picture in walk_decord(task, probe, log, outlet):
                outlet.send_picture(picture, task.max_width_px)
        except (DamageError, MemoryError) as error:
            reason = str(error)
        else:
            covered = outlet.covered_seconds
            return {"kind": "end", "decoders": ["decord"], "covered": covered, "lost": 0.0, "bad_packets": 0}
    decoders = ["decord"] if outlet.last_pts is not None else []
    return {**walk_pyav(task, probe, reason, log, outlet), "decoders": [*decoders, "pyav"], "reason": reason}


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


def walk_pyav(task: Task, probe: Probe, reason: str, log: ErrorLog, outlet: Outlet) -> Fields:
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


def answer(task: Task, connection: Connection, log: ErrorLog) -> None:
    """Sends the frames of one video and what became of it.

    Raises:
        ConnectionError: The parent has closed the connection.
    """
    log.clear()
    limit_memory(task.memory_limit_bytes)
    outlet = Outlet(connection)
    try:
        with openable_path(task.path) as path:
            closing = run(replace(task, path=path), outlet, log)
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
    serve(lambda fields, connection, log: answer(Task(**fields), connection, log))

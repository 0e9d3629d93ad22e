"""Sampled decoding in a killable child process, with a watchdog and a salvage; the parent loads no decoder."""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from anomalylmm.errors import ConfigurationError, VideoError
from anomalylmm.models.wire import Fields, read_message
from anomalylmm.records import DecodeReport, DecodeStatus, FrameBatch, Image, VideoHeader

CHILD = "anomalylmm.models.decoding_child"
OPENING_BYTES_PER_SECOND = 50_000_000  # decord reads the whole file once before it starts
DECODERS = ("decord", "pyav")
PIPE_BYTES = 1 << 20
MISSING_SECONDS = 1.0  # less than this, or this share, may be missing from a complete video
MISSING_SHARE = 0.02
REMEDY = "check the file with `ffprobe`, copy it again from the camera, or exclude it from the archive"


class ChildLostError(Exception):
    """The decoding child hangs or died; a new one takes over."""


class Child:
    """One decoding process and the pipe from it."""

    def __init__(self, task: Fields) -> None:
        """Starts the process; it ends when this object is closed or this process dies."""
        command = [sys.executable, "-m", CHILD, json.dumps(task)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=child_environment()
        )
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
                raise ChildLostError(f"the decoder ended unasked (exit code {self._process.wait()})")
            filled += received
        return data

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
    return {**os.environ, **single, "PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"}


def widen_pipe(pipe: int) -> None:
    """Gives the pipe room for most of a frame, where the platform can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class ChildSession:
    """One pass over one video; implements ``DecodeSession``."""

    header: VideoHeader

    def __init__(self, path: Path, *, task: Fields, batch_frames: int, stall_seconds: float) -> None:
        """Starts the child and waits for the header and the first frame.

        Raises:
            VideoError: The file can't be decoded at all.
        """
        self._path, self._task = path, task
        self._batch_frames, self._stall_seconds = batch_frames, stall_seconds
        self._num_frames, self._last_pts, self._decoders = 0, 0.0, list[str]()
        self._troubles = list[str]()
        self._closing: Fields | None = None
        self._salvaging, self._closed = False, False
        self._child = Child(task)
        try:
            self._first = self._next_frame(self._opening_patience())
        except BaseException:
            self.close()
            raise
        if self._first is None:
            self.close()
            raise self._error("; ".join(self._troubles) or "not one frame can be decoded")

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yields sampled frames in time order, a few at a time; ends early where the file does."""
        images, times = list[Image](), list[float]()
        frame, self._first = self._first, None
        try:
            while frame is not None:
                images.append(frame[0])
                times.append(frame[1])
                self._num_frames, self._last_pts = self._num_frames + 1, frame[1]
                if len(images) == self._batch_frames:
                    yield FrameBatch(images=tuple(images), pts_seconds=tuple(times))
                    images, times = [], []
                frame = self._next_frame(self._stall_seconds)
            if images:
                yield FrameBatch(images=tuple(images), pts_seconds=tuple(times))
        finally:
            self.close()

    @property
    def report(self) -> DecodeReport:
        """What was decoded so far; final once iteration has ended."""
        closing = self._closing or {"covered": self._last_pts, "lost": 0.0, "bad_packets": 0}
        promised = self.header.duration_seconds_from_header
        decoded = max(0.0, float(closing["covered"]) - float(closing["lost"]))
        messages = [*self._troubles, *damage_messages(closing)]
        status = self._status(promised, decoded, bool(messages))
        if status == "partial" and promised - decoded > MISSING_SECONDS:
            messages.append(f"{decoded:.1f} of {promised:.1f} s promised could be decoded")
        return DecodeReport(
            status=status,
            decoder="+".join(dict.fromkeys(self._decoders)) or "pyav",
            num_frames=self._num_frames,
            seconds_promised=promised,
            seconds_decoded=decoded,
            message="; ".join(messages),
        )

    @property
    def process_id(self) -> int:
        """Number of the decoding process."""
        return self._child.process_id

    def close(self) -> None:
        """Ends the decoding child; may be called twice."""
        self._closed = True
        self._child.close()

    def __enter__(self) -> "ChildSession":
        """Gives the session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the session."""
        self.close()

    def _status(self, promised: float, decoded: float, troubled: bool) -> DecodeStatus:
        if self._num_frames == 0:
            return "failed"
        missing = promised - decoded
        is_short = missing > max(MISSING_SECONDS, MISSING_SHARE * promised)
        return "partial" if troubled or is_short or self._closing is None else "complete"

    def _opening_patience(self) -> float:
        return self._stall_seconds + self._path.stat().st_size / OPENING_BYTES_PER_SECOND

    def _next_frame(self, patience_seconds: float) -> tuple[Image, float] | None:
        """The next frame with its time, or nothing at the end; a lost child is replaced once."""
        while not self._closed and self._closing is None:
            try:
                fields, payload = self._child.receive(patience_seconds)
            except ChildLostError as error:
                if not self._replace_child(str(error)):
                    return None
                continue
            if fields["kind"] == "frame":
                shape = (int(fields["height"]), int(fields["width"]), 3)
                return np.frombuffer(payload, np.uint8).reshape(shape), float(fields["pts"])
            self._note(fields)
        return None

    def _note(self, fields: Fields) -> None:
        """Takes in a message that is not a frame.

        Raises:
            VideoError: The child could not open the file.
        """
        if fields["kind"] == "header" and not hasattr(self, "header"):
            self.header = VideoHeader(**{name: value for name, value in fields.items() if name != "kind"})
        elif fields["kind"] == "error":
            if not hasattr(self, "header"):
                raise self._error(fields["reason"])
            self._troubles.append(fields["reason"])
            self._closing = {"covered": self._last_pts, "lost": 0.0, "bad_packets": 0}
        elif fields["kind"] == "end":
            self._closing = fields
            self._decoders += fields["decoders"]
            if fields.get("reason") and (fields["bad_packets"] or fields["lost"]):
                self._troubles.append(f"decord: {fields['reason']}; PyAV went on")

    def _replace_child(self, reason: str) -> bool:
        """Starts a PyAV-only child after the last frame; false where that has been tried already."""
        self._child.close()
        self._troubles.append(reason)
        if self._salvaging:
            self._closing = {"covered": self._last_pts, "lost": 0.0, "bad_packets": 0}
            return False
        self._salvaging = True
        if self._num_frames:
            self._decoders.append(self._task["decoder"])
        after = self._last_pts if self._num_frames else None
        self._child = Child({**self._task, "decoder": "pyav", "after_seconds": after})
        return True

    def _error(self, reason: str) -> VideoError:
        return VideoError(f"{self._path} can't be decoded: {reason}; {REMEDY}")


def damage_messages(closing: Fields) -> list[str]:
    """Says what was damaged and lost."""
    count, lost = int(closing["bad_packets"]), float(closing["lost"])
    packets = [f"{count} damaged packet{'s' if count > 1 else ''} passed over"] if count else []
    return packets + ([f"{lost:.1f} s lost between frames"] if lost else [])


class DecordSource:
    """Opens videos in a child process: decord first, PyAV for what decord can't be trusted with."""

    def __init__(
        self,
        *,
        batch_frames: int = 8,
        stall_seconds: float = 20.0,
        memory_limit_bytes: int | None = None,
        max_width_px: int | None = None,
        decoder: str = "decord",
    ) -> None:
        """Remembers the settings; nothing is started.

        Args:
            batch_frames: Frames of one batch.
            stall_seconds: Silence after which a child is killed.
            memory_limit_bytes: Address space a child may use.
            max_width_px: Wider frames are made smaller in the child.
            decoder: ``"decord"`` (with PyAV where needed) or ``"pyav"`` alone.

        Raises:
            ConfigurationError: There is no decoder of that name.
        """
        if decoder not in DECODERS:
            raise ConfigurationError(f"there is no decoder {decoder!r}; use one of {', '.join(DECODERS)}")
        self.batch_frames, self.stall_seconds = batch_frames, stall_seconds
        self.memory_limit_bytes, self.max_width_px, self.decoder = memory_limit_bytes, max_width_px, decoder

    def open_session(self, path: Path, *, sample_fps: float) -> ChildSession:
        """Opens one video for a pass at ``sample_fps``.

        Raises:
            VideoError: The file is missing, empty, no video, or not one frame of it decodes.
        """
        check_file(path)
        task: Fields = {
            "path": str(path),
            "sample_fps": sample_fps,
            "decoder": self.decoder,
            "after_seconds": None,
            "max_width_px": self.max_width_px,
            "memory_limit_bytes": self.memory_limit_bytes,
        }
        return ChildSession(path, task=task, batch_frames=self.batch_frames, stall_seconds=self.stall_seconds)


def check_file(path: Path) -> None:
    """Refuses what no decoder needs to see.

    Raises:
        VideoError: There is no such file, or it is empty.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise VideoError(f"{path} can't be read: {error.strerror}; check the path and its permissions") from error
    if not path.is_file():
        raise VideoError(f"{path} is not a file; give the path of a video")
    if size == 0:
        raise VideoError(f"{path} is empty (0 bytes); copy it again from the camera or exclude it")

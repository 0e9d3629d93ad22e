"""Sampled decoding in a killable child process, with a watchdog and a salvage; the parent loads no decoder."""

import copy
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from anomalylmm.errors import ConfigurationError, VideoError
from anomalylmm.models.allocator import return_free_pages
from anomalylmm.models.video.child_process import Child, ChildLostError, ChildSupply, Fields, child_environment
from anomalylmm.records import DecodeReport, DecodeStatus, FrameBatch, Image, VideoHeader

__all__ = ["ChildSession", "VideoSource", "check_file", "child_environment"]
OPENING_BYTES_PER_SECOND = 50_000_000  # decord reads the whole file once before it starts
STARTING_SECONDS = 10.0  # more patience until a child's first frame: a busy machine is slow to load the libraries
MAX_VIDEOS_PER_CHILD = 500  # whatever a decoder leaks is bounded, and a start takes 0.3 s
DECODERS = ("pyav", "decord")
TRIM_SECONDS = 10.0  # between two times that the memory of frames let go is given back
BATCH_BYTES = 128 << 20  # a batch of very large frames is handed on before it has all of them
MISSING_SECONDS = 1.0  # less than this, or this share, may be missing from a complete video
MISSING_SHARE = 0.02
REMEDY = "check the file with `ffprobe`, copy it again from the camera, or exclude it from the archive"
NO_REMEDY = "raise that setting and run `anomalylmm index --retry`, or exclude the file from the archive"


class ChildSession:
    """One pass over one video; implements ``DecodeSession``."""

    header: VideoHeader

    def __init__(
        self,
        path: Path,
        *,
        task: Fields,
        batch_frames: int,
        stall_seconds: float,
        max_seconds: float | None = None,
        children: ChildSupply | None = None,
    ) -> None:
        """Asks a child for the video and waits for the header and the first frame.

        Raises:
            VideoError: The file can't be decoded at all.
            ArchiveError: The system starts no process.
        """
        self._path, self._task = path, task
        self._batch_frames, self._stall_seconds = batch_frames, stall_seconds
        self._max_seconds, self._waited_seconds = max_seconds, 0.0
        self._num_frames, self._last_pts, self._decoders = 0, 0.0, list[str]()
        self._troubles = list[str]()
        self._closing: Fields | None = None
        self._salvaging, self._closed = False, False
        self._starting_seconds = STARTING_SECONDS
        self._children = children or ChildSupply()
        self._child = self._children.take()
        try:
            self._child.ask(task)
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
        frame, self._first, trimmed = self._first, None, time.monotonic()
        try:
            while frame is not None:
                images.append(frame[0])
                times.append(frame[1])
                self._num_frames, self._last_pts = self._num_frames + 1, frame[1]
                if len(images) == self._batch_frames or len(images) * frame[0].nbytes >= BATCH_BYTES:
                    yield FrameBatch(images=tuple(images), pts_seconds=tuple(times))
                    images, times = [], []
                    if time.monotonic() - trimmed > TRIM_SECONDS:
                        return_free_pages()
                        trimmed = time.monotonic()
                frame = None  # not held while the next one is awaited
                frame = self._next_frame(self._stall_seconds)
            if images:
                yield FrameBatch(images=tuple(images), pts_seconds=tuple(times))
        finally:
            self.close()

    @property
    def report(self) -> DecodeReport:
        """What was decoded so far; final once iteration has ended."""
        closing = self._closing or {"covered": self._last_pts, "lost": 0.0, "bad_packets": 0}
        promised = self._promised_seconds(float(closing.get("promised", 0.0)))
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
        """Gives back the decoding child, or ends it if it is not done with the video; may be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._closing is not None and self._closing.get("kind") == "end":
            self._children.give_back(self._child)
        else:
            self._child.close()

    def __enter__(self) -> "ChildSession":
        """Gives the session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the session."""
        self.close()

    def _promised_seconds(self, seen: float) -> float:
        """What the header promises, or the packets where it says nothing or too little."""
        header = self.header.duration_seconds_from_header
        return seen if seen > header + MISSING_SECONDS or not header else header

    def _status(self, promised: float, decoded: float, troubled: bool) -> DecodeStatus:
        if self._num_frames == 0:
            return "failed"
        missing = promised - decoded
        is_short = missing > max(MISSING_SECONDS, MISSING_SHARE * promised)
        return "partial" if troubled or is_short or self._closing is None else "complete"

    def _opening_patience(self) -> float:
        return self._stall_seconds + check_file(self._path) / OPENING_BYTES_PER_SECOND

    def _next_frame(self, patience_seconds: float) -> tuple[Image, float] | None:
        """The next frame with its time, or nothing at the end; a lost child is replaced once."""
        while not self._closed and self._closing is None:
            try:
                fields, payload = self._receive(patience_seconds)
            except TimeoutError as error:
                self._give_up(str(error))
                return None
            except ChildLostError as error:
                if not self._replace_child(str(error)):
                    return None
                continue
            if fields["kind"] == "frame":
                self._starting_seconds = 0.0
                shape = (int(fields["height"]), int(fields["width"]), 3)
                return np.frombuffer(payload, np.uint8).reshape(shape), float(fields["pts"])
            self._note(fields)
        return None

    def _receive(self, patience_seconds: float) -> tuple[Fields, bytearray]:
        """One message; only the waiting for it counts as time of the decoder.

        Raises:
            ChildLostError: Nothing came in time, or the process ended.
            TimeoutError: The video has had its time.
        """
        limit, began = self._max_seconds, time.monotonic()
        if limit is not None and self._waited_seconds > limit:
            raise TimeoutError(
                f"decoding took more than the {limit / 60:.3g} minutes that decode.minutes_per_video allows"
            )
        try:
            return self._child.receive(patience_seconds + self._starting_seconds)
        finally:
            self._waited_seconds += time.monotonic() - began

    def _give_up(self, reason: str) -> None:
        """Ends the video with what there is of it."""
        self._child.close()
        self._troubles.append(reason)
        self._closing = {"covered": self._last_pts, "lost": 0.0, "bad_packets": 0}

    def _note(self, fields: Fields) -> None:
        """Takes in a message that is not a frame.

        Raises:
            VideoError: The child could not open the file.
        """
        if fields["kind"] == "header" and not hasattr(self, "header"):
            self.header = VideoHeader(**{name: value for name, value in fields.items() if name != "kind"})
        elif fields["kind"] == "error":
            if self._try_afresh():
                return
            if not hasattr(self, "header"):
                raise self._error(fields["reason"])
            self._give_up(fields["reason"])
        elif fields["kind"] == "end":
            self._closing = fields
            self._decoders += fields["decoders"]
            if fields.get("reason") and (fields["bad_packets"] or fields["lost"]):
                self._troubles.append(f"decord: {fields['reason']}; PyAV went on")

    def _replace_child(self, reason: str) -> bool:
        """Starts a PyAV-only child after the last frame; false where that has been tried already."""
        if self._try_afresh():
            return True
        if self._salvaging:
            self._give_up(reason)
            return False
        self._troubles.append(reason)
        self._salvaging, self._starting_seconds = True, STARTING_SECONDS
        if self._num_frames:
            self._decoders.append(self._task["decoder"])
        after = self._last_pts if self._num_frames else None
        self._ask_anew({**self._task, "decoder": "pyav", "after_seconds": after})
        return True

    def _try_afresh(self) -> bool:
        """Asks a new child if this one gave no frame and had read other videos: those may be the reason."""
        if self._num_frames or self._child.num_asked < 2:
            return False
        self._ask_anew(self._task)
        return True

    def _ask_anew(self, task: Fields) -> None:
        self._child.close()
        self._child = Child()
        self._child.ask(task)

    def _error(self, reason: str) -> VideoError:
        remedy = NO_REMEDY if "decode." in reason else REMEDY
        return VideoError(f"{self._path} can't be decoded: {reason}; {remedy}")


def damage_messages(closing: Fields) -> list[str]:
    """Says what was damaged and lost."""
    count, lost = int(closing["bad_packets"]), float(closing["lost"])
    packets = [f"{count} damaged packet{'s' if count > 1 else ''} passed over"] if count else []
    is_worth_telling = lost > (0 if closing.get("is_damaged") else MISSING_SECONDS)
    return packets + ([f"{lost:.1f} s lost to damaged or missing frames"] if is_worth_telling else [])


class VideoSource:
    """Opens videos in a child process: by PyAV, or by decord as far as it can be trusted."""

    def __init__(
        self,
        *,
        batch_frames: int,
        stall_seconds: float,
        memory_limit_bytes: int | None,
        max_seconds: float | None,
        max_width_px: int | None,
        decoder: str,
        still_share: float | None,
    ) -> None:
        """Remembers the settings; nothing is started.

        Args:
            batch_frames: Frames of one batch.
            stall_seconds: Silence after which a child is killed.
            memory_limit_bytes: Memory a child may have, not counting code and files.
            max_seconds: Time that decoding one video may take; waiting for who takes the frames does not count.
            max_width_px: Wider frames are made smaller in the child.
            still_share: Share of changed pixels (0..1) below which PyAV decodes only the key frames of a still scene;
                None decodes every frame.
            decoder: ``"pyav"``, or ``"decord"`` for videos whose frames all fit into memory, with PyAV for the rest.

        Raises:
            ConfigurationError: There is no decoder of that name.
        """
        if decoder not in DECODERS:
            raise ConfigurationError(f"there is no decoder {decoder!r}; use one of {', '.join(DECODERS)}")
        self.batch_frames, self.stall_seconds = batch_frames, stall_seconds
        self.memory_limit_bytes, self.max_width_px, self.decoder = memory_limit_bytes, max_width_px, decoder
        self.max_seconds, self.still_share = max_seconds, still_share
        self._children = ChildSupply()

    @contextmanager
    def keep_open(self) -> Iterator["VideoSource"]:
        """Gives a source whose sessions, one after another, use one process as long as it does well."""
        kept = copy.copy(self)
        kept._children = ChildSupply(max_videos=MAX_VIDEOS_PER_CHILD)
        try:
            yield kept
        finally:
            kept._children.close()

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
            "still_share": self.still_share,
        }
        return ChildSession(
            path,
            task=task,
            batch_frames=self.batch_frames,
            stall_seconds=self.stall_seconds,
            max_seconds=self.max_seconds,
            children=self._children,
        )


def check_file(path: Path) -> int:
    """Refuses what no decoder needs to see; gives the size in bytes.

    Raises:
        VideoError: There is no such file, or it is empty.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise VideoError(f"{path} can't be read: {error.strerror}; check the path and its permissions") from error
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(f"{path} is not a file; give the path of a video")
    if status.st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); copy it again from the camera or exclude it")
    return status.st_size

"""The process that fetches moments by random access: decord where it can be trusted, else PyAV; may be killed.

decord's ``get_batch`` gives frames of a wrong time where the frame rate varies and in HEVC (measured with decord2
3.4.0). So it reads H.264 of an even pace in an indexed container only, and its first frame must equal PyAV's.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.footage.crops import cut, limit_size
from anomalylmm.models.allocator import return_free_pages
from anomalylmm.models.video.child_process import Fields
from anomalylmm.models.video.children.decoding_child import (
    ErrorLog,
    Outlet,
    failure,
    limit_memory,
    openable_path,
    serve,
)
from anomalylmm.models.video.reading.decord_walk import DamageError, exact_times, first_line, same_picture
from anomalylmm.models.video.reading.pictures import pixel_ratio, upright
from anomalylmm.models.video.reading.probe import Probe
from anomalylmm.models.video.reading.pyav_walk import (
    DAMAGE_ERRORS,
    MAX_REORDERED_FRAMES,
    Picture,
    iter_packets,
    num_threads,
    open_container,
    start_seconds,
    video_stream,
)
from anomalylmm.records import Box

SEEK_SECONDS = 4.0  # to a frame that far ahead, going there by a key frame beats decoding on
BACK_SECONDS = (0.0, 10.0, 60.0)  # further and further before a time, for containers that land behind it
END_SECONDS = 0.5  # after the last frame, for which that is still the nearest
BATCH_FRAMES = 8
EVEN_SHARE = 0.1  # of the usual step, by which steps of an even pace may differ
Wish = tuple[
    float, int, bool, Box
]  # time, number of the moment, whether it is its last time, box as shares of the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the parent asks for."""

    path: str
    decoder: str  # "decord": decord, then PyAV where needed; "pyav": PyAV only
    memory_limit_bytes: int | None
    max_side_px: int
    wanted: list[Wish]  # times rising


class Picker:
    """Cuts the moments out of the frames that hold them and sends them."""

    def __init__(self, task: Task, outlet: Outlet) -> None:
        """Takes what is wanted."""
        self._outlet, self._max_side = outlet, task.max_side_px
        self._left = [(time, list(group)) for time, group in groupby(task.wanted, key=lambda item: item[0])]

    @property
    def times(self) -> list[float]:
        """Times that have not been sent."""
        return [time for time, _ in self._left]

    def send(self, picture: Picture) -> None:
        """Sends the frame for the next time."""
        _, places = self._left.pop(0)
        height, width = picture.image.shape[:2]
        for _, moment, is_last, box in places:
            own = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
            image = limit_size(cut(picture.image, own), self._max_side)
            size = {"height": image.shape[0], "width": image.shape[1]}
            fields = {"kind": "frame", "moment": moment, "is_last": is_last, "pts": picture.pts_seconds, **size}
            self._outlet.send(fields, np.ascontiguousarray(image).data.cast("B"))


def pick_by_decord(task: Task, picker: Picker, log: ErrorLog, outlet: Outlet) -> None:
    """Sends what is wanted by ``get_batch``.

    Raises:
        DamageError: decord can't be trusted with this video, failed, or wrote an error.
    """
    probe = Probe.of(Path(task.path))
    if not probe.suits_decord or probe.codec != "h264":
        raise DamageError("it is not trusted with this kind of video")
    try:
        import decord

        reader = decord.VideoReader(task.path, ctx=decord.cpu(0), num_threads=num_threads())
        rounded = reader.get_frame_timestamp(np.arange(len(reader)))[:, 0]
        times = np.array(exact_times(rounded, Path(task.path), outlet))
        require_even_pace(times)
        if not same_picture(reader.get_batch([0]).asnumpy()[0], probe.first.image):
            raise DamageError("its first frame differs from PyAV's")
        while batch := [time for time in picker.times[:BATCH_FRAMES] if time <= times[-1] + END_SECONDS]:
            indices = [nearest(times, time) for time in batch]
            images = reader.get_batch(indices).asnumpy()
            if log.size():
                raise DamageError("its FFmpeg met damaged data")
            for index, image in zip(indices, images, strict=True):
                picker.send(Picture(image=image, pts_seconds=float(times[index])))
            outlet.stay_alive()
    except ImportError as error:
        raise DamageError(f"it can't be loaded: {first_line(error)}") from error
    except ConnectionError:
        raise
    except (decord.DECORDError, RuntimeError, AssertionError, *DAMAGE_ERRORS) as error:
        raise DamageError(first_line(error)) from error


def nearest(times: np.ndarray, wanted: float) -> int:
    """Position of the time nearest to one, of rising times."""
    return int(np.abs(times - wanted).argmin())


def require_even_pace(times: np.ndarray) -> None:
    """Checks that frames follow each other at one pace.

    Raises:
        DamageError: They don't.
    """
    steps = np.diff(times)
    if len(steps) and np.abs(steps - np.median(steps)).max() > EVEN_SHARE * np.median(steps):
        raise DamageError("its frame rate varies")


def pick_by_pyav(task: Task, picker: Picker, outlet: Outlet) -> None:
    """Sends what is wanted, going by key frames over what lies between; ends early where the video does."""
    with open_container(Path(task.path)) as container:
        stream = video_stream(container)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", num_threads()
        while times := picker.times:
            pick_span(container, stream, picker, outlet)
            if picker.times == times:
                return


def pick_span(container: Any, stream: Any, picker: Picker, outlet: Outlet) -> None:
    """Sends from the next time wanted on, until a longer gap follows or the video ends."""
    first, ratio, before = picker.times[0], pixel_ratio(stream), None
    for frame, pts_seconds in iter_from(container, stream, first):
        outlet.stay_alive()
        after = _Shown(frame, pts_seconds, ratio)
        while picker.times and picker.times[0] <= pts_seconds:
            picker.send(after.nearer(before, picker.times[0]).picture)
        if not picker.times or (picker.times[0] > first and picker.times[0] - pts_seconds > SEEK_SECONDS):
            return
        before = after
    while before and picker.times and picker.times[0] - before.pts_seconds <= END_SECONDS:
        picker.send(before.picture)


class _Shown:
    """A decoded frame that becomes an upright picture once it is wanted."""

    def __init__(self, frame: Any, pts_seconds: float, ratio: float) -> None:
        self.pts_seconds = pts_seconds
        self._frame, self._ratio = frame, ratio

    def nearer(self, other: "_Shown | None", pts_seconds: float) -> "_Shown":
        """This frame or an earlier one, whichever is nearer to a time."""
        if other is None or self.pts_seconds - pts_seconds <= pts_seconds - other.pts_seconds:
            return self
        return other

    @cached_property
    def picture(self) -> Picture:
        """The frame as a person would see it."""
        return Picture(image=upright(self._frame, self._ratio), pts_seconds=self.pts_seconds)


def iter_from(container: Any, stream: Any, pts_seconds: float) -> Iterator[tuple[Any, float]]:
    """Yields frames from a key frame before a time on.

    A container without an index may land behind the time it was asked for; then it is asked for an earlier one.
    """
    for back_seconds in BACK_SECONDS:
        seek(container, stream, pts_seconds - back_seconds)
        frames = iter_timed(container, stream)
        first = next(frames, None)
        if first is not None and first[1] <= pts_seconds:
            yield from chain([first], frames)
            return
    container.seek(0, backward=True)
    yield from iter_timed(container, stream)


def seek(container: Any, stream: Any, pts_seconds: float) -> None:
    """Goes to a key frame before a time, or to the start where that fails."""
    step = float(1 / stream.average_rate) if stream.average_rate else 0.0
    target = max(0.0, pts_seconds - MAX_REORDERED_FRAMES * step) + start_seconds(stream)
    try:
        container.seek(int(target / stream.time_base), stream=stream)
    except DAMAGE_ERRORS:
        container.seek(0)


def iter_timed(container: Any, stream: Any) -> Iterator[tuple[Any, float]]:
    """Yields frames that decode, with rising times."""
    start, newest = start_seconds(stream), -math.inf
    for packet in iter_packets(container, stream, lambda: None):
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except DAMAGE_ERRORS:
            continue
        for frame in frames:
            if frame.time is not None and frame.time - start > newest:
                newest = frame.time - start
                yield frame, newest


def answer(task: Task, connection: Connection, log: ErrorLog) -> None:
    """Sends the moments of one video and how they were read.

    Raises:
        ConnectionError: The parent has closed the connection.
    """
    log.clear()
    limit_memory(task.memory_limit_bytes)
    outlet = Outlet(connection)
    picker, reason = Picker(task, outlet), ""
    try:
        with openable_path(task.path) as path:
            task = replace(task, path=path)
            if task.decoder == "decord":
                try:
                    pick_by_decord(task, picker, log, outlet)
                except (DamageError, MemoryError) as error:
                    reason = first_line(error)
            if picker.times and (reason or task.decoder == "pyav"):
                pick_by_pyav(task, picker, outlet)
        closing: Fields = {"kind": "end", "decoder": "pyav" if reason or task.decoder == "pyav" else "decord"}
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the parent is to know why
        limit_memory(None)  # so that there is room to tell
        closing = {"kind": "error", "reason": failure(error, task.memory_limit_bytes)}
    outlet.send({**closing, "decord": reason} if reason else closing)
    return_free_pages()


def read_task(fields: Fields) -> Task:
    """Reads a task from JSON."""
    wanted = [(float(time), int(moment), bool(is_last), tuple(box)) for time, moment, is_last, box in fields["wanted"]]
    return Task(**{**fields, "wanted": wanted})


if __name__ == "__main__":
    serve(lambda fields, connection, log: answer(read_task(fields), connection, log))

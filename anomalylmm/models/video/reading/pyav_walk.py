"""Walks through a video with PyAV, over damaged packets too; used inside the decoding child only."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from anomalylmm.footage.sampling import Sampler
from anomalylmm.footage.stillness import UsualSizes
from anomalylmm.models.video.reading.ledger import Ledger
from anomalylmm.models.video.reading.pictures import pixel_ratio, upright
from anomalylmm.models.video.reading.steady_clock import SteadyClock
from anomalylmm.models.video.reading.still_spans import StillSpans
from anomalylmm.records import Image

ATTACHED_PICTURE = av.stream.Disposition.attached_pic
MAX_DEMUX_ERRORS = 100  # in a row; a source that only errs must end
MAX_REORDERED_FRAMES = 16  # of H.264 and H.265
MICROSECONDS = 1_000_000
MAX_THREADS = 8  # each holds frames of its own; 16 of them in 8K are a gigabyte
DAMAGE_ERRORS = (av.error.FFmpegError, OSError, ValueError)  # many of FFmpeg's errors are neither of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One decoded frame, upright, with its time since the stream's start."""

    image: Image
    pts_seconds: float


class PyavWalk:
    """Iterates over the sampled pictures after a given time, counting what is lost on the way."""

    def __init__(
        self,
        path: Path,
        sampler: Sampler,
        after_seconds: float | None,
        stay_alive: Callable[[], None],
        *,
        max_width_px: int | None = None,
        still_share: float | None = None,
        has_single_fields: bool = False,
        usual: UsualSizes | None = None,
    ) -> None:
        """Remembers where to go on.

        Args:
            path: The file.
            sampler: Which frames are wanted.
            after_seconds: Last time already delivered.
            stay_alive: Called often.
            max_width_px: Wider frames are made smaller.
            still_share: Share of changed pixels below which spans between key frames are left out; None decodes all.
            has_single_fields: Whether two packets make a frame.
            usual: What is known of the packets of still spans from earlier videos of the camera.
        """
        self._path, self._sampler, self._after, self._stay_alive = path, sampler, after_seconds, stay_alive
        self._max_width, self._fields = max_width_px, 2 if has_single_fields else 1
        self._still_share = None if after_seconds or has_single_fields else still_share
        self._usual_sizes = usual or UsualSizes()
        self.bad_packets, self.saw_damage = 0, False
        self._promised_pts: int | None = None  # of the last packet that promised a frame
        self._usual_seconds = 0.0  # of a frame
        self.ledger = Ledger(start_seconds=after_seconds or 0.0)
        if after_seconds is not None:
            sampler.wants(after_seconds)

    def __iter__(self) -> Iterator[Picture]:
        """Yields upright pictures, times rising."""
        with open_container(self._path) as container:
            stream = video_stream(container)
            stream.thread_type, ratio = "AUTO", pixel_ratio(stream)
            start, ledger = start_seconds(stream), self.ledger
            self._usual_seconds = float(1 / stream.average_rate) if stream.average_rate else 0.0
            clock = SteadyClock(start, self._after)
            self._seek(container, stream, start)
            for frame in self._frames(container, stream):
                self._stay_alive()
                seconds = self._fields * length_seconds(frame) or self._usual_seconds
                pts_seconds = clock.read(frame.time, seconds)
                ledger.show(frame.pts, pts_seconds, seconds, is_whole=not frame.is_corrupt)
                self.saw_damage |= bool(frame.is_corrupt)
                if pts_seconds is not None and self._sampler.wants(pts_seconds):
                    yield Picture(image=upright(frame, ratio, self._max_width), pts_seconds=pts_seconds)

    def _seek(self, container: Any, stream: Any, start: float) -> None:
        """Goes to a key frame before the time already delivered; stays where that fails.

        Containers seek by decoding times, and frames before an open key frame don't decode from it.
        """
        if self._after:
            target = max(0.0, self._after - MAX_REORDERED_FRAMES * self._usual_seconds) + start
            try:
                container.seek(int(target / stream.time_base), stream=stream)
            except DAMAGE_ERRORS:
                container.seek(0)

    def _frames(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yields all frames that decode; a damaged packet is counted and passed over."""
        packets = iter_packets(container, stream, self._count_bad)
        if self._still_share is None:
            return iter_frames(self._promised(packets), stream, self._count_bad)
        spans = StillSpans(stream, self._still_share, self.ledger.leave_out, self._usual_sizes)
        return iter_frames(self._promised(spans.iter_packets(packets)), stream, self._count_bad, spans)

    def _promised(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Passes packets on, each a promise of a frame."""
        for packet in packets:
            self.saw_damage |= bool(packet.is_corrupt)
            if packet.size and not packet.is_discard and not self._is_second_field(packet):
                self.ledger.promise(packet.pts, self._fields * length_seconds(packet) or self._usual_seconds)
                self._promised_pts = packet.pts
            yield packet

    def _is_second_field(self, packet: Any) -> bool:
        """Whether a packet of single fields belongs to the frame that the packet before it has promised."""
        if self._fields == 1 or packet.pts is None or self._promised_pts is None:
            return False
        seconds = float((packet.pts - self._promised_pts) * packet.time_base)
        return 0 <= seconds < 1.5 * length_seconds(packet)

    def _count_bad(self) -> None:
        self.bad_packets += 1
        self.saw_damage = True


def length_seconds(item: Any) -> float:
    """How long a packet or frame is shown; 0.0 where it does not say."""
    return float((item.duration or 0) * float(item.time_base or 0))


def num_threads() -> int:
    """Threads of a decoder, bounded because its memory grows with them."""
    return min(MAX_THREADS, os.cpu_count() or 1)


def open_container(path: Path) -> Any:
    """Opens a file; tags in an unknown alphabet are no reason to refuse it."""
    return av.open(str(path), metadata_errors="replace")


def iter_frames(
    packets: Iterable[Any], stream: Any, count_bad: Callable[[], None], spans: StillSpans | None = None
) -> Iterator[Any]:
    """Yields all frames that decode; ``count_bad`` is called for each packet that does not.

    Args:
        packets: Of the stream, in decoding order.
        stream: PyAV's video stream.
        count_bad: Takes a note.
        spans: Has decoded some of the packets already.

    Raises:
        MemoryError: There is no memory left to decode with.
    """
    decoder = stream.codec_context
    decoder.thread_count = num_threads()
    holds_frames = False
    for packet in packets:
        shown = spans.take_shown() if spans else None
        try:
            if shown is None:
                frames, holds_frames = packet.decode(), True
            else:
                frames, holds_frames = _drained(decoder, packet) if holds_frames else [], False
        except MemoryError:
            raise
        except DAMAGE_ERRORS:
            count_bad()
            frames = []
        if spans and frames:
            spans.see(frames[-1])
        yield from frames
        if shown is not None:
            yield shown


def _drained(decoder: Any, packet: Any) -> list[Any]:
    """The frames that a decoder still holds; the next packet for it must be a key frame."""
    try:
        frames = decoder.decode(None)
    finally:
        decoder.flush_buffers()
    for frame in frames:
        frame.time_base = packet.time_base
    return list(frames)


def iter_packets(container: Any, stream: Any, count_bad: Callable[[], None]) -> Iterator[Any]:
    """Yields packets, going on after errors of the container."""
    errors, packets = 0, container.demux(stream)
    while errors < MAX_DEMUX_ERRORS:
        try:
            packet = next(packets)
        except (StopIteration, MemoryError) as end:
            if isinstance(end, MemoryError):
                raise
            return
        except DAMAGE_ERRORS:
            errors += 1
            count_bad()
            packets = container.demux(stream)
            continue
        errors = 0
        yield packet


def packet_times(path: Path, stay_alive: Callable[[], None]) -> list[float]:
    """Presentation times of all packets in file order, exact, without decoding; empty where a packet has none."""
    times = list[float]()
    with open_container(path) as container:
        stream = video_stream(container)
        start = start_seconds(stream)
        for packet in container.demux(stream):
            stay_alive()
            if packet.size and packet.pts is None:
                return []
            if packet.size:
                times.append(float(packet.pts * packet.time_base) - start)
    return times


def moving_streams(container: Any) -> list[Any]:
    """The video streams, without cover pictures of sound files."""
    return [stream for stream in container.streams.video if not stream.disposition & ATTACHED_PICTURE]


def video_stream(container: Any) -> Any:
    """The video stream with the largest picture, of equals FFmpeg's choice or the first; an empty one comes last.

    Raises:
        ValueError: There is none.
    """
    moving, best = moving_streams(container), container.streams.best("video")
    if not moving:
        raise ValueError("it holds no video stream")

    def rate(stream: Any) -> tuple[bool, int, bool]:
        return bool(stream.frames), stream.width * stream.height, best is not None and stream.index == best.index

    return max(moving, key=rate)


def start_seconds(stream: Any) -> float:
    """Presentation time of the stream's start, taken as 0."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def promised_seconds(container: Any, stream: Any) -> float:
    """Seconds the container promises, 0.0 where it does not say."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if not container.duration:
        return 0.0
    if "matroska" not in container.format.name:
        return float(container.duration / MICROSECONDS)
    stop = _tagged_seconds(stream) or container.duration / MICROSECONDS  # the second is that of its longest track
    return max(0.0, stop - start_seconds(stream))


def _tagged_seconds(stream: Any) -> float:
    """The end of a Matroska track by its tag DURATION, such as ``00:10:00.040000000``; 0.0 without one."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3]) if match else 0.0

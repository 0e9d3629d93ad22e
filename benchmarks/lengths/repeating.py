"""Makes long videos of short ones without encoding: the packets again and again, their times shifted."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

Ticks = int  # of a stream's time base


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where the pictures of a video begin, and how long they last."""

    first: Ticks
    length: Ticks
    time_base: Fraction


def repeat(source: Path, target: Path, seconds: float, comment: str = "") -> float:
    """Writes the pictures of a video as an MP4 that is so long, to the next key frame; gives its true length.

    Args:
        source: What is repeated; its packets must have times.
        target: The file to write.
        seconds: How long it is to be.
        comment: Put beside the pictures, so that files of equal pictures differ.

    Raises:
        ValueError: The source has no pictures, or packets without times.
        FFmpegError: The source can't be read, or its codec does not go into an MP4 (PyAV's own errors).
    """
    span = read_span(source)
    stop = 0
    with av.open(str(source)) as template, av.open(str(target), "w", format="mp4") as container:
        container.metadata["comment"] = comment
        stream = container.add_stream_from_template(template.streams.video[0])
        for packet in iter_repeated(source, span, round(seconds / span.time_base)):
            stop = max(stop, packet.pts + packet.duration)
            packet.stream = stream
            container.mux_one(packet)
    return float(stop * span.time_base)


def read_span(source: Path) -> Span:
    """Reads the times of all packets.

    Raises:
        ValueError: There are none, or some packets have no time.
    """
    with av.open(str(source)) as container:
        packets = list(_iter_packets(container)) if container.streams.video else []
        if not packets or any(packet.pts is None or not packet.duration for packet in packets):
            raise ValueError(f"{source} has no pictures or packets without times; give a video as an MP4")
        first, stop = (min(packet.pts for packet in packets), max(packet.pts + packet.duration for packet in packets))
        return Span(first=first, length=stop - first, time_base=container.streams.video[0].time_base)


def iter_repeated(source: Path, span: Span, until: Ticks) -> Iterator[Any]:
    """Yields packets whose times go on rising from 0, up to the first key frame at ``until``."""
    for number in itertools.count():
        shift = number * span.length - span.first
        with av.open(str(source)) as container:
            for packet in _iter_packets(container):
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                if packet.is_keyframe and packet.pts >= until:
                    return
                yield packet


def _iter_packets(container: Any) -> Iterator[Any]:
    """Yields the packets of the pictures; the empty one that ends a walk is left out."""
    return (packet for packet in container.demux(video=0) if packet.size)


def check_video(path: Path, seconds: float) -> None:
    """Looks whether a video says that it is so long, and decodes at its beginning and to its very end.

    Raises:
        ValueError: It does not.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        told, frame_seconds = float(stream.duration * stream.time_base), float(1 / stream.average_rate)
        first = next(container.decode(stream)).time
        container.seek(int(max(0.0, seconds - frame_seconds) / stream.time_base), stream=stream)
        last = max(frame.time for frame in container.decode(stream))
    if max(abs(told - seconds), abs(first), abs(last + frame_seconds - seconds)) > frame_seconds:
        raise ValueError(
            f"{path} should last {seconds:.3f} s, but says {told:.3f} s, begins at {first:.3f} s "
            f"and has its last frame at {last:.3f} s"
        )

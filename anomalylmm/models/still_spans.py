"""Leaves out what lies between two key frames of a still scene, undecoded; used inside the decoding child only.

A key frame costs one frame of decoding, a span between two of them often fifty. A span is still where both its key
frames look like the slow background and none of its packets is larger than those of still spans are: who passes between
two key frames must be drawn by the packets between them.
"""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from anomalylmm.records import Floats
from anomalylmm.stillness import Background, UsualSizes

SMALL_WIDTH = 96
LONGEST_SECONDS = 6.0  # a longer span is decoded, whatever it shows: a glance at a still scene is due
MOST_PACKETS = 1000
WINDOW_SECONDS = 0.34


class StillSpans:
    """Passes on the packets of one video stream, those of still spans but their key frames left out."""

    def __init__(self, stream: Any, least_share: float) -> None:
        """Begins with a stream.

        Args:
            stream: PyAV's video stream.
            least_share: Share of changed pixels from which a key frame is not still.
        """
        self._stream, self._least_share = stream, least_share
        self._background, self._usual = Background(), UsualSizes()
        self._scout = _scout_of(stream)
        self._dropped_at: int | None = None  # time of the key frame whose span was left out
        self.passed_over: set[int] = set()  # times of such key frames; what follows them is not lost

    def iter_packets(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yields what is to be decoded."""
        group: list[Any] = []
        was_still = False
        for packet in packets:
            if packet.is_keyframe and packet.size:
                is_still = self._is_still_key(packet)
                yield from self._decide(group, was_still and is_still)
                group, was_still = [], is_still
            group.append(packet)
            if len(group) > MOST_PACKETS:
                yield from self._decide(group, False)
                group, was_still = [], False
        yield from self._decide(group, False)

    def _decide(self, group: list[Any], ends_still: bool) -> Iterator[Any]:
        if self._dropped_at is not None:  # pictures before their key frame need the span that was left out
            first = self._dropped_at
            group = [packet for packet in group if packet.pts is None or packet.pts >= first or not packet.size]
        between = [packet for packet in group if packet.size and not packet.is_keyframe]
        usual = self._usual.is_usual([packet.size for packet in between], self._window())
        self._dropped_at = None
        if not (ends_still and usual and self._is_short(group)):
            yield from group
            return
        yield group[0]
        self.passed_over.add(group[0].pts)
        self._dropped_at = group[0].pts

    def _is_short(self, group: list[Any]) -> bool:
        times = [packet.pts for packet in group if packet.pts is not None]
        if len(times) != len(group) or not group[0].is_keyframe:
            return False
        return bool((max(times) - group[0].pts) * group[0].time_base < LONGEST_SECONDS)

    def _window(self) -> int:
        rate = float(self._stream.average_rate or 0) or 25.0
        return max(1, round(WINDOW_SECONDS * rate))

    def _is_still_key(self, packet: Any) -> bool:
        small = self._scout_picture(packet)
        if small is None or packet.pts is None:
            return False
        seconds = float(packet.pts * packet.time_base)
        return self._background.changed_share(small, seconds) < self._least_share

    def _scout_picture(self, packet: Any) -> Floats | None:
        """A key frame made small, or nothing where it does not decode by itself."""
        try:
            frames = [*self._scout.decode(packet), *self._scout.decode(None)]
            self._scout.flush_buffers()
        except (av.error.FFmpegError, OSError, ValueError):
            return None
        return _shrink(frames[0]) if frames and not frames[0].is_corrupt else None


def _scout_of(stream: Any) -> Any:
    """A decoder of its own, for key frames alone."""
    own = stream.codec_context
    scout = av.CodecContext.create(own.codec.name, "r")
    scout.extradata = own.extradata
    scout.thread_count = 1
    return scout


def _shrink(frame: Any) -> Floats:
    height = max(1, round(frame.height * SMALL_WIDTH / frame.width))
    small = frame.reformat(width=SMALL_WIDTH, height=height, format="rgb24", interpolation="AREA")
    picture: Floats = small.to_ndarray().astype(np.float32)
    return picture

"""Leaves out what lies between two key frames of a still scene, undecoded; used inside the decoding child only.

A key frame costs one frame of decoding, a span between two of them often fifty. A span is still where the key frames
before and after it look alike and its packets are as small as those of still spans are: who passes between two key
frames must be drawn by the packets between them. A person who lies or stands there is on the key frames. These have a
decoder of their own, and of a span that is left out its key frame is shown as that decoder gave it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from anomalylmm.footage.stillness import Background, UsualSizes
from anomalylmm.models.video.reading.pictures import resized
from anomalylmm.records import Floats

SMALL_WIDTH = 96
LONGEST_SECONDS = 6.0  # a longer span is decoded, whatever it shows: a glance at a still scene is due
MAX_PACKETS = 1000
WINDOW_SECONDS = 0.34


class StillSpans:
    """Passes on the packets of one video stream, those of still spans but their key frames left out."""

    def __init__(
        self, stream: Any, min_share: float, leave_out: Callable[[int, float], None], usual: UsualSizes
    ) -> None:
        """Begins with a stream.

        Args:
            stream: PyAV's video stream.
            min_share: Share of changed pixels from which a key frame is not still.
            leave_out: Called for each span that is left out, with the time of its key frame and its length in seconds.
            usual: What the spans of earlier videos of the camera have shown; it goes on with those of this one.
        """
        self._stream, self._min_share, self._leave_out = stream, min_share, leave_out
        self._usual = usual
        self._scout = _scout_of(stream)
        self._scouted: tuple[int | None, Any, Floats | None] = None, None, None  # time, frame, and made small
        self._left_out = False  # the span before
        self._has_plain_frames = (
            False  # none was seen yet, or the container turns them, of which the scout knows nothing
        )
        self._shown: Any = None

    def see(self, frame: Any) -> None:
        """Takes in a frame that the stream's own decoder gave."""
        self._has_plain_frames = frame.side_data.get("DISPLAYMATRIX") is None

    def take_shown(self) -> Any:
        """Returns the frame of the packet that was just passed on, if it is decoded already; else None."""
        shown, self._shown = self._shown, None
        return shown

    def iter_packets(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yields what is to be decoded."""
        group: list[Any] = []
        for packet in packets:
            if packet.is_keyframe and packet.size:
                yield from self._decide(group, packet)
                group = []
            group.append(packet)
            if len(group) > MAX_PACKETS:
                yield from self._decide(group)
                group = []
        yield from self._decide(group)

    def _decide(self, group: list[Any], following: Any = None) -> Iterator[Any]:
        if not group:
            return
        if self._left_out and group[0].pts is not None:  # pictures before their key frame need the span left out
            first = group[0].pts
            group = [packet for packet in group if packet.pts is None or packet.pts >= first]
        usual = self._usual.is_usual(*_sizes(group), self._window())
        self._left_out = False
        if not (usual and self._is_short(group) and following is not None):
            yield from group
            return
        frame, small = self._look_at(group[0])
        if not _are_alike(small, self._look_at(following)[1], self._min_share):
            yield from group
            return
        self._leave_out(group[0].pts, float((following.pts - group[0].pts) * group[0].time_base))
        self._shown = frame if self._has_plain_frames else None
        yield group[0]
        self._left_out = True

    def _is_short(self, group: list[Any]) -> bool:
        times = [packet.pts for packet in group if packet.pts is not None]
        if len(times) != len(group) or not group[0].is_keyframe:
            return False
        return bool((max(times) - group[0].pts) * group[0].time_base < LONGEST_SECONDS)

    def _window(self) -> int:
        rate = float(self._stream.average_rate or 0) or 25.0
        return max(1, round(WINDOW_SECONDS * rate))

    def _look_at(self, packet: Any) -> tuple[Any, Floats | None]:
        """A key frame, and the same made small; nothing where it does not decode by itself. Remembers the last one."""
        if self._scouted[0] != packet.pts:
            self._scouted = packet.pts, *self._scout_anew(packet)
        return self._scouted[1:]

    def _scout_anew(self, packet: Any) -> tuple[Any, Floats | None]:
        try:
            frames = [*self._scout.decode(packet), *self._scout.decode(None)]
            self._scout.flush_buffers()
        except (av.error.FFmpegError, OSError, ValueError):
            return None, None
        if not frames or frames[0].is_corrupt:
            return None, None
        frame = frames[0]
        frame.time_base = packet.time_base
        return frame, resized(frame, SMALL_WIDTH).astype(np.float32)


def _are_alike(first: Floats | None, second: Floats | None, min_share: float) -> bool:
    """Whether two small pictures show the same."""
    if first is None or second is None:
        return False
    pair = Background(follow_seconds=0)
    pair.changed_share(first, 0.0)
    return pair.changed_share(second, 0.0) < min_share


def _sizes(group: list[Any]) -> tuple[int, list[int]]:
    """Bytes of the key frame that begins a group, 0 where none does, and of the packets after it."""
    sizes = [packet.size for packet in group if packet.size]
    return (sizes[0], sizes[1:]) if group and group[0].is_keyframe else (0, sizes)


def _scout_of(stream: Any) -> Any:
    """A decoder of its own, for key frames alone."""
    own = stream.codec_context
    scout = av.CodecContext.create(own.codec.name, "r")
    scout.extradata = own.extradata
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):  # where only the container tells them
        setattr(scout, name, getattr(own, name))
    scout.thread_count = 1
    return scout

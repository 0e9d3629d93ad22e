"""Copies a piece of a video without decoding it, in a process of its own: a damaged file may hang its reader.

Only for files whose times are sure and that every browser plays as they are: H.264 in MP4 or Matroska, upright,
square pixels.
"""

import json
import sys
from pathlib import Path
from typing import Any

from anomalylmm.models.video.reading.pictures import clockwise, pixel_ratio
from anomalylmm.models.video.reading.probe import first_frame
from anomalylmm.models.video.reading.pyav_walk import open_container, start_seconds, video_stream

TIMED_CONTAINERS = ("mp4", "matroska")  # their times can't go back
PLAYED_FORMATS = ("yuv420p", "yuvj420p")
MAX_LEAD_SECONDS = 12.0  # from the key frame before the piece to its start


def main(source: str, target: str, start_seconds_asked: float, stop_seconds: float) -> dict[str, float]:
    """Copies the packets from the key frame before a moment; returns the times of the first and last frame.

    Raises:
        ValueError: The file is not of the kind that can be copied.
    """
    import av

    path = Path(source)
    with open_container(path) as container, av.open(target, "w", format="mp4", options=_OPTIONS) as output:
        stream = video_stream(container)
        _require_playable(container, stream)
        origin = start_seconds(stream)
        container.seek(round((start_seconds_asked + origin) / stream.time_base), stream=stream, backward=True)
        return _copy(container, stream, output, origin, start_seconds_asked, stop_seconds)


_OPTIONS = {"movflags": "+faststart"}


def _require_playable(container: Any, stream: Any) -> None:
    context = stream.codec_context
    has_times = any(name in container.format.name for name in TIMED_CONTAINERS)
    is_plain = has_times and context.name == "h264" and context.pix_fmt in PLAYED_FORMATS
    if not is_plain or pixel_ratio(stream) != 1.0:
        raise ValueError("it is not H.264 with square pixels in MP4 or Matroska")
    frame = first_frame(container, stream)
    if clockwise(frame) or frame.interlaced_frame or frame.side_data.get("DISPLAYMATRIX") is not None:
        raise ValueError("it is turned or interlaced")


def _copy(container: Any, stream: Any, output: Any, origin: float, start: float, stop: float) -> dict[str, float]:
    copied = output.add_stream_from_template(stream)
    times: list[float] = []
    first = 0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        seconds = float(packet.pts * stream.time_base) - origin
        if not times:
            if not packet.is_keyframe or seconds < start - MAX_LEAD_SECONDS:
                raise ValueError("there is no key frame shortly before the piece")
            first = packet.pts
        if packet.dts is None:
            raise ValueError("a packet has no decoding time")
        if float(packet.dts * stream.time_base) - origin > stop:
            break
        packet.pts, packet.dts, packet.stream = packet.pts - first, packet.dts - first, copied
        times.append(seconds)
        output.mux(packet)
    if len(times) < 2:
        raise ValueError("there is nothing of that time")
    return {"start_seconds": min(times), "stop_seconds": max(times)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))

"""Writes frames as H.264 in an MP4 file that every browser plays; used inside the clip's own process."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from anomalylmm.errors import VideoError
from anomalylmm.models.video.reading.pictures import BT709, HD_HEIGHT, LIMITED_RANGE
from anomalylmm.records import Image

TICKS = 90_000  # a second, as in MPEG
ENCODER = "libx264"
BT601 = 6  # a color matrix, as FFmpeg numbers it
TYPICAL_FPS = 25  # only a hint to the encoder; each frame keeps its own time


def write_frames(path: Path, frames: Iterable[tuple[Image, float]], options: Mapping[str, str]) -> int:
    """Writes frames with their times as an mp4 whose index comes first, the first frame at 0; gives their number.

    Raises:
        VideoError: There is no frame, or it can't be written.
    """
    count = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream, first, scaler = None, 0.0, VideoReformatter()
            for image, pts_seconds in frames:
                if stream is None:
                    stream, first = _add_stream(container, image, options), pts_seconds
                container.mux(stream.encode(_build_frame(image, stream, pts_seconds - first, scaler)))
                count += 1
            if stream is None:
                raise VideoError(f"no frame was given to write to {path.name}; ask for a piece that the video has")
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path.name} can't be written: {error}; check the disk, then export again") from error
    return count


def _add_stream(container: Any, image: Image, options: Mapping[str, str]) -> Any:
    stream = container.add_stream(ENCODER, rate=TYPICAL_FPS, options=dict(options))
    stream.width, stream.height, stream.pix_fmt = image.shape[1] // 2 * 2, image.shape[0] // 2 * 2, "yuv420p"
    stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.colorspace = BT709 if stream.height >= HD_HEIGHT else BT601
    stream.codec_context.color_range = LIMITED_RANGE
    return stream


def _build_frame(image: Image, stream: Any, seconds: float, scaler: VideoReformatter) -> Any:
    """Builds a frame of the stream's size: H.264 wants even sides, and the first frame decides."""
    even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
    frame = scaler.reformat(
        av.VideoFrame.from_numpy_buffer(even, format="rgb24"),
        width=stream.width,
        height=stream.height,
        format=stream.pix_fmt,
        dst_colorspace=stream.codec_context.colorspace,
        dst_color_range=LIMITED_RANGE,
    )
    frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
    return frame

"""Pieces of a video: every frame of one, decoded in a killable child, and H.264 files made of frames."""

from collections.abc import Generator, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from anomalylmm.errors import VideoError
from anomalylmm.models.video.copying import copy_piece
from anomalylmm.models.video.frames import ChildSession, check_file
from anomalylmm.models.video.pictures import BT709, HD_HEIGHT, LIMITED_RANGE
from anomalylmm.records import Image

EVERY_FRAME_FPS = 1000.0  # no camera is faster, so nothing is left out
SAME_SECONDS = 1e-6
BATCH_FRAMES = 4
TICKS = 90_000  # a second, as in MPEG
ENCODER = "libx264"
BT601 = 6  # a color matrix, as FFmpeg numbers it
TYPICAL_FPS = 25  # only a hint to the encoder; each frame keeps its own time


class VideoClips:
    """Reads and writes pieces of videos; implements ``ClipCutter``."""

    def __init__(self, *, stall_seconds: float, max_width_px: int | None = None, preset: str = "veryfast") -> None:
        """Starts nothing.

        Args:
            stall_seconds: Silence after which a decoding child is killed.
            max_width_px: Wider frames are made smaller; None keeps them.
            preset: The encoder's, from "ultrafast" to "veryslow".
        """
        self._stall_seconds, self._max_width_px = stall_seconds, max_width_px
        self._options = {"crf": "20", "preset": preset}

    def copy(self, source: Path, start_seconds: float, stop_seconds: float, target: Path) -> tuple[float, float] | None:
        """Copies a piece as it is, where every browser can play it (see ``copy_piece``)."""
        return copy_piece(source, start_seconds, stop_seconds, target, self._stall_seconds)

    def iter_frames(
        self, path: Path, start_seconds: float, stop_seconds: float
    ) -> Generator[tuple[Image, float], None, None]:
        """Yields every frame of a piece with its time, going there by the key frame before it.

        Raises:
            VideoError: The file can't be decoded at all, or has no frame there.
        """
        check_file(path)
        found = False
        with self._open(path, start_seconds) as session:
            for batch in session:
                for image, pts_seconds in zip(batch.images, batch.pts_seconds, strict=True):
                    if start_seconds - SAME_SECONDS <= pts_seconds <= stop_seconds:
                        found = True
                        yield image, pts_seconds
                if batch.pts_seconds and batch.pts_seconds[-1] > stop_seconds:
                    break
        if not found:
            raise VideoError(
                f"{path.name} has no frame from {start_seconds:.2f} to {stop_seconds:.2f} s; ask for a longer piece"
            )

    def _open(self, path: Path, start_seconds: float) -> ChildSession:
        """Opens a video a little before a moment: what comes sooner than a sampling step after it is passed over."""
        after = start_seconds - 2 / EVERY_FRAME_FPS
        task = {
            "path": str(path),
            "sample_fps": EVERY_FRAME_FPS,
            "decoder": "pyav",
            "after_seconds": after if after > 0 else None,
            "max_width_px": self._max_width_px,
            "memory_limit_bytes": None,
        }
        return ChildSession(path, task=task, batch_frames=BATCH_FRAMES, stall_seconds=self._stall_seconds)

    def write(self, path: Path, frames: Iterable[tuple[Image, float]]) -> int:
        """Writes frames as an mp4 whose index comes first, the first frame at 0; gives their number.

        Raises:
            VideoError: There is no frame, or it can't be written.
        """
        count = 0
        try:
            with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                stream, first = None, 0.0
                for image, pts_seconds in frames:
                    if stream is None:
                        stream, first = _add_stream(container, image, self._options), pts_seconds
                    container.mux(stream.encode(_build_frame(image, stream, pts_seconds - first)))
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


def _build_frame(image: Image, stream: Any, seconds: float) -> Any:
    """Builds a frame of the stream's size: H.264 wants even sides, and the first frame decides."""
    even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
    frame = av.VideoFrame.from_ndarray(even, format="rgb24")
    frame = frame.reformat(
        width=stream.width,
        height=stream.height,
        format=stream.pix_fmt,
        dst_colorspace=stream.codec_context.colorspace,
        dst_color_range=LIMITED_RANGE,
    )
    frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
    return frame

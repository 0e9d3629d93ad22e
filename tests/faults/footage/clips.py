"""Small sound clips of moving blocks, as bytes, in every codec and container that PyAV's encoders offer here."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np

from tests.fakes import draw

FPS = 8
GOP = 8
CODECS = ("libx264", "libx265", "mpeg4", "mjpeg", "libvpx-vp9", "libsvtav1")
CONTAINERS = ("mp4", "mkv", "ts", "avi", "mov")
SAMPLE_RATE = 16_000
PIXELS = {"mjpeg": "yuvj420p", "ffv1": "yuv444p"}
OPTIONS = {
    "libx264": {"preset": "ultrafast", "threads": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What to encode."""

    codec: str = "libx264"
    container: str = "mp4"
    num_frames: int = 24
    size: tuple[int, int] = (160, 120)
    num_sounds: int = 0
    faststart: bool = False
    has_picture: bool = True
    pixels: str = ""
    start_frames: int = 0
    bframes: int = field(default=0)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.num_frames / FPS if self.has_picture else 0.0


@lru_cache(maxsize=256)
def encode(clip: Clip) -> bytes:
    """Encodes a clip.

    Raises:
        ValueError: This codec does not go into this container, or there is no such encoder here (PyAV's own errors).
    """
    av.logging.set_level(av.logging.PANIC)
    os.environ.setdefault("SVT_LOG", "-1")  # else this encoder writes a page a clip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{clip.container}"
        options = {"movflags": "faststart"} if clip.faststart else {}
        with _same_priority(), av.open(str(path), "w", options=options) as container:
            picture = _add_picture(container, clip) if clip.has_picture else None
            sounds = [_add_sound(container) for _ in range(clip.num_sounds)]
            for number in range(clip.num_frames):
                if picture is not None:
                    container.mux(picture.encode(_frame(clip, number)))
                for sound in sounds:
                    container.mux(sound.encode(_tone(number)))
            for stream in [*([picture] if picture is not None else []), *sounds]:
                container.mux(stream.encode(None))
        return path.read_bytes()


@contextmanager
def _same_priority() -> Iterator[None]:
    """Takes back what SVT-AV1 does where it is allowed to, as root: its caller keeps real-time priority for good.

    Then whatever runs later in this thread and its children goes before every other process. Two such threads that
    wait for a third by spinning, as those of OpenMP do, hold up the whole machine.
    """
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def iter_whole() -> Iterator[Clip]:
    """Yields every pair of codec and container that can be written here."""
    for codec in CODECS:
        for container in CONTAINERS:
            clip = Clip(codec=codec, container=container)
            if is_writable(clip):
                yield clip


def is_writable(clip: Clip) -> bool:
    """Whether the encoder and the container are there and go together."""
    try:
        return bool(encode(clip))
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def _add_picture(container: Any, clip: Clip) -> Any:
    stream = container.add_stream(clip.codec, rate=FPS, options=OPTIONS.get(clip.codec, {}))
    stream.width, stream.height = clip.size
    stream.pix_fmt = clip.pixels or PIXELS.get(clip.codec, "yuv420p")
    stream.codec_context.gop_size = GOP
    stream.codec_context.max_b_frames = clip.bframes
    stream.time_base = Fraction(1, FPS)
    return stream


def _add_sound(container: Any) -> Any:
    return container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")


def _frame(clip: Clip, number: int) -> av.VideoFrame:
    width, height = clip.size
    blocks = [("red", 0.0, clip.seconds), ("blue", clip.seconds / 3, clip.seconds)]
    image = draw(blocks, number / FPS, clip.seconds)
    rows, columns = np.arange(height) * image.shape[0] // height, np.arange(width) * image.shape[1] // width
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[rows][:, columns]), format="rgb24")
    frame.pts = number + clip.start_frames
    frame.time_base = Fraction(1, FPS)
    return frame


def _tone(number: int) -> av.AudioFrame:
    count = SAMPLE_RATE // FPS
    wave = np.sin(np.arange(number * count, (number + 1) * count) / 20).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, number * count
    return frame

"""Small clips made on the spot: each frame carries its number, so that a test can read which one it was given."""

import contextlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from anomalylmm.records import Image

BITS = 10
TICKS = 1000  # time base of the clips: milliseconds


def draw_number(number: int, width: int = 160, height: int = 120) -> Image:
    """Draws a frame whose number is written as white and black columns in its upper half, low bit left."""
    image = np.full((height, width, 3), 60, dtype=np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        image[: height // 2, edges[bit] : edges[bit + 1]] = 255 if number >> bit & 1 else 0
    return image


def read_number(image: Image) -> int:
    """Reads the number that ``draw_number`` wrote."""
    height, width = image.shape[:2]
    centers = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return sum(int(image[height // 4, x].mean() > 127) << bit for bit, x in enumerate(centers))


def write_clip(
    path: Path,
    *,
    times_ms: list[int],
    codec: str = "libx264",
    size: tuple[int, int] = (160, 120),
    gop: int = 10,
    options: dict[str, str] | None = None,
    start_ms: int = 0,
    encoder: dict[str, str] | None = None,
) -> Path:
    """Writes numbered frames at the given presentation times."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        if codec in ("libx264", "libx265"):
            stream.options = {"preset": "veryfast", **(encoder or {})}
        stream.codec_context.time_base = Fraction(1, TICKS)
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(draw_number(number, *size), format="rgb24")
            frame.pts, frame.time_base = time + start_ms, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def every(count: int, step_ms: int = 100) -> list[int]:
    """Presentation times of a constant frame rate."""
    return [step_ms * number for number in range(count)]


def write_sound(path: Path) -> Path:
    """Writes a file that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for start in range(0, 16000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rotate(path: Path, degrees: int, *, mirrored: bool = False) -> Path:
    """Writes a turn of 90, 180 or 270 degrees clockwise into the display matrix of an mp4.

    Args:
        path: The file.
        degrees: Of the turn.
        mirrored: Whether the picture is flipped upside down before it is turned.
    """
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    flip = -1 if mirrored else 1
    matrix = [cosine, sine, 0, -sine * flip, cosine * flip, 0, 0, 0, 1]
    units = [65536, 65536, 1 << 30] * 3
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0: the matrix comes 40 bytes after the box's name
    data[start : start + 36] = struct.pack(">9i", *(value * unit for value, unit in zip(matrix, units, strict=True)))
    path.write_bytes(bytes(data))
    return path


def damage(path: Path, at: float = 0.5, count: int = 4000) -> Path:
    """Overwrites some bytes in the middle of a file."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    count = min(count, len(data) - start)
    data[start : start + count] = np.random.default_rng(0).bytes(count)
    path.write_bytes(bytes(data))
    return path


def truncate(path: Path, keep: float) -> Path:
    """Cuts a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def overwrite_packets(path: Path, first: int, stop: int) -> Path:
    """Overwrites some packets of a video, counted in the order of the file."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data, random = bytearray(path.read_bytes()), np.random.default_rng(0)
    for start, size in places[first:stop]:
        data[start : start + size] = random.bytes(size)
    path.write_bytes(bytes(data))
    return path


def count_decoded(path: Path) -> int:
    """Counts the frames that plain PyAV decodes."""
    count = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError):
                count += len(packet.decode())
    return count

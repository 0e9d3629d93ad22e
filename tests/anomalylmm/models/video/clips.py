"""Small clips made on the spot: each frame carries its number, so that a test can read which one it was given."""

import contextlib
import struct
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

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
    given = tuple(sorted((options or {}).items())), tuple(sorted((encoder or {}).items()))
    path.write_bytes(_encode(path.suffix, tuple(times_ms), codec, size, gop, start_ms, *given))
    return path


@cache
def _encode(
    suffix: str,
    times_ms: tuple[int, ...],
    codec: str,
    size: tuple[int, int],
    gop: int,
    start_ms: int,
    options: tuple[tuple[str, str], ...],
    encoder: tuple[tuple[str, str], ...],
) -> bytes:
    """The content of a clip, encoded once for all tests that want it."""
    with NamedTemporaryFile(suffix=suffix) as file, av.open(file.name, "w", options=dict(options)) as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        if codec in ("libx264", "libx265"):
            stream.options = {"preset": "veryfast", **dict(encoder)}
        stream.codec_context.time_base = Fraction(1, TICKS)
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(draw_number(number, *size), format="rgb24")
            frame.pts, frame.time_base = time + start_ms, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        container.close()
        return Path(file.name).read_bytes()


def every(count: int, step_ms: int = 100) -> list[int]:
    """Presentation times of a constant frame rate."""
    return [step_ms * number for number in range(count)]


def write_sound(path: Path, *, seconds: int = 1, video_seconds: int = 0) -> Path:
    """Writes a file that holds sound, and gray pictures, ten a second, where some are asked for."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10) if video_seconds else None
        sound = container.add_stream("aac", rate=16000, layout="mono")
        if video:
            video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
            for _ in range(10 * video_seconds):
                image = np.full((180, 320, 3), 90, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(video.encode(None))
        for start in range(0, 16000 * seconds, 1024):
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            heard.sample_rate, heard.pts = 16000, start
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
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


def to_wide(color: tuple[int, int, int]) -> np.ndarray:
    """Light (3,) of a color of BT.709, by the primaries of BT.2020."""
    light = (np.array(color) / 255) ** 2.4
    return np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]) @ light


def to_pq(nits: np.ndarray) -> np.ndarray:
    """The signal of PQ (ITU-R BT.2100)."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def to_hlg(light: np.ndarray) -> np.ndarray:
    """The signal of HLG for the light of a display with a peak of 1.0 (ITU-R BT.2100)."""
    luminance = float(light @ [0.2627, 0.678, 0.0593])
    scene = light * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)

"""Situations of how a picture is stored: chroma, range, color matrix and HLG."""

import base64
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.anomalylmm.models.video.clips import to_hlg, to_wide
from tests.situations.pictures import FALL, FPS, Picture, demo_frames, write_video
from tests.situations.place import Observed, Place, situation

MAX_LEVELS = 4.0  # of 255; what JPEG and the encoder do to a mean color
BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2


def first_crop(place: Place) -> Picture | None:
    """Indexes the archive and returns its first crop in RGB, or None without crops."""
    place.run("index", place.archive, "--store", place.store)
    rows = place.rows("select base64(jpeg) picture from crops order by pts_seconds, crop_id limit 1")
    if not rows:
        return None
    return cv2.imdecode(np.frombuffer(base64.b64decode(rows[0]["picture"]), np.uint8), cv2.IMREAD_COLOR_RGB)


def beside(place: Place, name: str) -> Place:
    """A second place within this one."""
    part = Place(folder=place.folder / name, code=place.code)
    part.folder.mkdir()
    return part


def write_signal(
    path: Path,
    frames: Iterable[Picture],
    pixels: str,
    *,
    codec: str = "libx264",
    matrix: int = BT709,
    span: int = LIMITED,
) -> None:
    """Writes frames with pixels of a format, a color matrix and a range, and the tags that say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 960, 540, pixels
        context = stream.codec_context
        context.colorspace, context.color_range, context.bit_rate = matrix, span, 20_000_000
        stream.options = {"preset": "ultrafast", "crf": "12"} if codec == "libx264" else {"qscale": "2"}
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pixels, dst_colorspace=matrix, dst_color_range=span
            )
            frame.colorspace, frame.color_range = matrix, span
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def compare_colors(place: Place, plain: Place) -> Observed:
    """Compares the mean color of the first crop of two archives."""
    crops = [first_crop(part) for part in (plain, place)]
    if crops[0] is None or crops[1] is None:
        return Observed(text="no crops", right=False)
    means = [crop.reshape(-1, 3).mean(axis=0) for crop in crops]
    levels = np.round(means[1] - means[0], 1)
    return Observed(text=f"red, green, blue off by {levels} levels", right=bool((abs(levels) < MAX_LEVELS).all()))


def examine_signal(
    place: Place, pixels: str, *, codec: str = "libx264", matrix: int = BT709, span: int = LIMITED
) -> Observed:
    """Writes the demo in a format, and beside it as any camera does."""
    plain, name = beside(place, "plain"), FALL if codec == "libx264" else FALL.replace(".mp4", ".mkv")
    is_gray = pixels.startswith("gray")

    def frames() -> Iterable[Picture]:
        for image in demo_frames():
            gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            yield cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB) if is_gray else image

    write_signal(plain.archive / FALL, frames(), "yuv420p")
    write_signal(place.archive / name, frames(), pixels, codec=codec, matrix=matrix, span=span)
    return compare_colors(place, plain)


@situation("colors as with 4:2:0")
def chroma_of_4_2_2(place: Place) -> Observed:
    """H.264 with every chroma line."""
    return examine_signal(place, "yuv422p")


@situation("colors as with 4:2:0")
def chroma_of_4_4_4_and_10_bits(place: Place) -> Observed:
    """H.264 with all chroma and 10 bits."""
    return examine_signal(place, "yuv444p10le")


@situation("colors as with 4:2:0")
def chroma_of_4_1_1(place: Place) -> Observed:
    """FFV1, for no encoder of H.264 offers it."""
    return examine_signal(place, "yuv411p", codec="ffv1")


@situation("colors as with the limited range")
def the_full_range(place: Place) -> Observed:
    """A camera that uses all 256 levels and says so."""
    return examine_signal(place, "yuv420p", span=FULL)


@situation("colors as with BT.709")
def the_matrix_of_bt_601(place: Place) -> Observed:
    """A camera that uses the colors of standard definition and says so."""
    return examine_signal(place, "yuv420p", matrix=BT601)


@situation("as bright as the same gray picture in 4:2:0")
def gray_h264(place: Place) -> Observed:
    """H.264 without chroma; FFmpeg writes gray with all 256 levels."""
    return examine_signal(place, "gray", span=FULL)


@situation("colors as in the same video without HDR")
def high_dynamic_range_by_hlg(place: Place) -> Observed:
    """Writes the demo as HLG, as a phone or a broadcaster does."""
    plain = beside(place, "plain")
    write_signal(plain.archive / FALL, demo_frames(), "yuv420p")
    colors = np.arange(0, 256, 8)
    grid = np.array([[r, g, b] for r in colors for g in colors for b in colors])
    table = np.array([to_hlg(np.maximum(to_wide(tuple(color)) * 0.203, 1e-6)) for color in grid]).reshape(32, 32, 32, 3)

    def to_signal(image: Picture) -> np.ndarray:
        red, green, blue = np.moveaxis(np.minimum((image.astype(int) + 4) // 8, 31), 2, 0)
        return np.round(np.clip(table[red, green, blue], 0, 1) * 65535).astype(np.uint16)

    write_video(place.archive / FALL, map(to_signal, demo_frames()), transfer=18)
    return compare_colors(place, plain)

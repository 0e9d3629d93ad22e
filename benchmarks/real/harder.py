"""Harder copies of real clips: what the same persons look like to a farther, cheaper, darker or crooked camera."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Image = NDArray[np.uint8]  # (H, W, 3), BGR
SMALL_SHARE = 0.45  # of the picture's width that is left, on a blurred copy of it
LOW_WIDTH_PX = 320
TILT_DEGREES = 14.0
SLOW_FPS = 7
BULGE = 0.35  # of a wide-angle lens


def write_harder(sources: Sequence[Path], folder: Path, way: str) -> None:
    """Writes a harder copy of each clip, with the times it had, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        _write(source, folder / source.name, way)


def _write(source: Path, target: Path, way: str) -> None:
    change, rng, first = WAYS[way], np.random.default_rng(0), None
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        rate = Fraction(stream.average_rate or 25)
        step = max(1, round(rate / SLOW_FPS)) if way == "slow" else 1
        out: Any = None
        for frame in list(given.decode(stream))[::step]:
            picture = frame.to_ndarray(format="bgr24")
            first = picture if first is None else first
            picture = np.asarray(change(picture, first, rng), np.uint8)
            if out is None:
                options = {"crf": "34" if way == "low" else "24", "preset": "veryfast"}
                out = made.add_stream("libx264", rate=rate / step, options=options)
                out.height, out.width, out.pix_fmt = *picture.shape[:2], "yuv420p"
                out.codec_context.time_base = stream.time_base
            shown = av.VideoFrame.from_ndarray(picture, format="bgr24")
            shown.pts, shown.time_base = frame.pts, frame.time_base
            made.mux(out.encode(shown))
        made.mux(out.encode())


def _small(picture: Image, first: Image, _rng: np.random.Generator) -> Any:
    out = cv2.GaussianBlur(first, (0, 0), first.shape[1] / 20)
    inner = cv2.resize(picture, None, fx=SMALL_SHARE, fy=SMALL_SHARE, interpolation=cv2.INTER_AREA)
    y, x = (out.shape[0] - inner.shape[0]) // 2 + out.shape[0] // 10, (out.shape[1] - inner.shape[1]) // 2
    out[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return out


def _low(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    height = round(LOW_WIDTH_PX * picture.shape[0] / picture.shape[1]) // 2 * 2
    return cv2.resize(picture, (LOW_WIDTH_PX, height), interpolation=cv2.INTER_AREA)


def _dark(picture: Image, _first: Image, rng: np.random.Generator) -> Any:
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
    dim = np.clip(gray**1.6 * 140 + rng.normal(0, 9, gray.shape), 0, 255).astype(np.uint8)
    return cv2.cvtColor(dim, cv2.COLOR_GRAY2BGR)


def _mirror(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    return np.ascontiguousarray(picture[:, ::-1])


def _tilt(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), TILT_DEGREES, 1.0)
    return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _steep(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    height, width = picture.shape[:2]
    size = np.array([width, height], np.float32)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * size
    moved = np.array([[0, 0.12], [1, 0.12], [0.82, 0.9], [0.18, 0.9]], np.float32) * size
    turn = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _wide(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x - width / 2) / (width / 2), (y - height / 2) / (width / 2)
    scale = (1 + BULGE * (u * u + v * v)) / (1 + BULGE / 2) * (width / 2)
    across, down = (u * scale + width / 2).astype(np.float32), (v * scale + height / 2).astype(np.float32)
    return cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _slow(picture: Image, _first: Image, _rng: np.random.Generator) -> Any:
    return picture


WAYS: dict[str, Callable[[Image, Image, np.random.Generator], Any]] = {
    "small": _small,
    "low": _low,
    "slow": _slow,
    "dark": _dark,
    "mirror": _mirror,
    "tilt": _tilt,
    "steep": _steep,
    "wide": _wide,
}

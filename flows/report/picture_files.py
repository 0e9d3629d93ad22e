"""Image files of people and benchmarks: measured before a byte is unpacked, so that none can fill the memory."""

import struct
from io import BytesIO

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from anomalylmm.records import Image

MAX_BYTES = 64 << 20
MIN_SIDE_PX, MAX_SIDE_PX, MAX_PIXELS = 8, 20_000, 100_000_000
USABLE = f"sides of {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels, {MAX_PIXELS:,} in all"
READERS = (JpegImageFile, PngImageFile, WebPImageFile, BmpImageFile)  # other formats' see little hostile input


def decode_picture(content: bytes, *, min_side_px: int = MIN_SIDE_PX) -> Image | None:
    """Decodes an image file's bytes to RGB (H, W, 3); None where they are none of a usable size."""
    if not _is_usable(_measure(content), min_side_px):
        return None
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # OpenCV raises for pictures beyond its own limit
        return None
    if decoded is None or not _is_usable(decoded.shape[:2], min_side_px):
        return None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _is_usable(sides_px: tuple[int, ...], min_side_px: int) -> bool:
    short, long = min(sides_px), max(sides_px)
    return min_side_px <= short <= long <= MAX_SIDE_PX and short * long <= MAX_PIXELS


def _measure(content: bytes) -> tuple[int, int]:
    """Reads how large an image says it is, before a byte of it is unpacked; (0, 0) if it is not an image.

    The readers are asked themselves: ``PIL.Image.open`` is replaced by ultralytics, which may install libraries.
    """
    for reader in READERS:
        try:
            with reader(BytesIO(content)) as picture:
                return int(picture.width), int(picture.height)
        except (SyntaxError, OSError, ValueError, TypeError, struct.error):  # what they raise for what is not theirs
            continue
    return 0, 0

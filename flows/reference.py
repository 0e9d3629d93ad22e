"""The picture that a search is to be like: a crop of the gallery by its id, or an image file."""

import struct
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from anomalylmm.errors import PipelineMismatchError, QueryError
from anomalylmm.records import Floats, Image
from flows.composition import Composition
from storage.gallery import Gallery
from storage.reading import read_columns

MOST_BYTES = 64 << 20
LEAST_SIDE_PX, MOST_SIDE_PX, MOST_PIXELS = 8, 20_000, 100_000_000
READERS = (JpegImageFile, PngImageFile, WebPImageFile, BmpImageFile)  # other formats' see little hostile input


def read_reference(composition: Composition, gallery: Gallery, like: str) -> Floats:
    """Gives the unit vector (D,) of a picture: a crop's own from the gallery, a file's by the encoder.

    Raises:
        QueryError: It is neither a crop of the gallery nor a file that holds an image.
        PipelineMismatchError: The gallery was made with another encoder.
    """
    found = _find_crop(gallery, like)
    if found is not None:
        return found
    image = read_image(like)
    encoder = composition.encoder
    if gallery.shards and encoder.model_id != gallery.encoder_id:
        raise PipelineMismatchError(
            f"the gallery was made with {gallery.encoder_id}, but the profile's encoder is {encoder.model_id}; "
            "search with the profile that the archive was indexed with"
        )
    return np.asarray(encoder.encode_images([image])[0], dtype=np.float32)


def read_image(like: str) -> Image:
    """Reads an image file; RGB.

    Raises:
        QueryError: There is no such file, or it holds no image of a usable size.
    """
    path = Path(like)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if 0 < size <= MOST_BYTES else b""
    except (OSError, ValueError) as error:
        raise QueryError(
            f"{like[:200]!r} is neither the id of a crop in the gallery nor an image file; give a crop_id, as the "
            "tables hits and crops list them, or the path of a JPEG or PNG"
        ) from error
    image = _decode(content) if _is_usable(_measure(content)) else None
    if image is None or not _is_usable(image.shape[:2]):
        raise QueryError(
            f"{like[:200]!r} ({size} bytes) holds no image with sides of {LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels, "
            f"{MOST_PIXELS:,} in all; give a JPEG or PNG of one person"
        )
    return image


def join_text_and_picture(views: Floats, picture: Floats) -> Floats:
    """Adds a picture's vector (D,) to the views (V, D) of a text, so that both weigh the same in their mean."""
    text = views.mean(axis=0)
    text = text / max(float(np.linalg.norm(text)), 1e-12)
    return np.stack([text, picture]).astype(np.float32)


def _is_usable(sides_px: tuple[int, ...]) -> bool:
    short, long = min(sides_px), max(sides_px)
    return LEAST_SIDE_PX <= short <= long <= MOST_SIDE_PX and short * long <= MOST_PIXELS


def _measure(content: bytes) -> tuple[int, int]:
    """Reads how large an image says it is, before a byte of it is unpacked; (0, 0) where it is none.

    The readers are asked themselves: ``PIL.Image.open`` is replaced by ultralytics, which may install libraries.
    """
    for reader in READERS:
        try:
            with reader(BytesIO(content)) as picture:
                return int(picture.width), int(picture.height)
        except (SyntaxError, OSError, ValueError, TypeError, struct.error):  # what they raise for what is not theirs
            continue
    return 0, 0


def _decode(content: bytes) -> Image:
    """Decodes an image file's bytes (H, W, 3); an empty picture where they are none."""
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:  # OpenCV raises for pictures beyond its own limit
        decoded = None
    if decoded is None:
        return np.zeros((0, 0, 3), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _find_crop(gallery: Gallery, crop_id: str) -> Floats | None:
    if not (crop_id.isascii() and crop_id.isprintable()):  # ids are digests
        return None
    for shard in gallery.shards:
        ids = read_columns(shard.directory, ["crop_id"]).column("crop_id")
        if pc.index(ids, pa.scalar(crop_id)).as_py() >= 0:
            return gallery.crops(shard.shard_id, [crop_id])[0].vector
    return None

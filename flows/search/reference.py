"""Reads the reference picture of a search: a crop of the gallery by its id, or an image file."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalylmm.errors import PipelineMismatchError, QueryError
from anomalylmm.records import Floats, Image
from flows.composition import Composition
from flows.report.picture_files import MAX_BYTES, USABLE, decode_picture
from storage.gallery.gallery import Gallery
from storage.shards.reading import load_crops, read_columns


def read_reference(composition: Composition, gallery: Gallery, like: str) -> Floats:
    """Returns the unit vector (D,) of a crop in the gallery, or encodes an image file.

    Raises:
        QueryError: The reference is neither the id of a crop in the gallery nor a readable image file.
        PipelineMismatchError: The gallery was made with another encoder.
    """
    found = _find_crop(gallery, like, composition.encoder.dimension)
    if found is not None:
        return found
    image = read_image(like)
    encoder = composition.encoder
    if gallery.shards and encoder.model_id != gallery.encoder_id:
        raise PipelineMismatchError(
            f"the gallery was made with {gallery.encoder_id}, but the profile's encoder is {encoder.model_id}; "
            "search with the profile that was used to index the archive"
        )
    return np.asarray(encoder.encode_images([image])[0], dtype=np.float32)


def read_image(like: str) -> Image:
    """Reads an RGB image (H, W, 3) from a file.

    Raises:
        QueryError: The file does not exist or has no image of a usable size.
    """
    path = Path(like)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if 0 < size <= MAX_BYTES else b""
    except (OSError, ValueError) as error:
        raise QueryError(
            f"{like[:200]!r} is neither the id of a crop in the gallery nor an image file; give a crop_id from the "
            "table hits or crops, or the path of a JPEG or PNG"
        ) from error
    image = decode_picture(content)
    if image is None:
        raise QueryError(
            f"{like[:200]!r} ({size} bytes) holds no image with {USABLE}; give a JPEG or PNG of one person"
        )
    return image


def join_text_and_picture(views: Floats, picture: Floats) -> Floats:
    """Combines the views (V, D) of a text with a picture (D,); both have the same weight in the mean of the result."""
    text = views.mean(axis=0)
    text = text / max(float(np.linalg.norm(text)), 1e-12)
    return np.stack([text, picture]).astype(np.float32)


def _find_crop(gallery: Gallery, crop_id: str, dimension: int) -> Floats | None:
    if not (crop_id.isascii() and crop_id.isprintable()):  # ids are hexadecimal
        return None
    for shard in gallery.shards:
        ids = read_columns(shard.directory, ["crop_id"]).column("crop_id")
        if pc.index(ids, pa.scalar(crop_id)).as_py() >= 0:
            return load_crops(shard.directory, [crop_id])[0].vector[:dimension]
    return None

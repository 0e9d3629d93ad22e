"""Reads the reference of a search: a crop of the gallery by its id, an image file, or a moment of the archive."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalylmm.errors import PipelineMismatchError, QueryError
from anomalylmm.records import Floats, Image
from flows.composition import Composition
from flows.report.picture_files import MAX_BYTES, USABLE, decode_picture
from flows.search.moment_reference import read_moment
from flows.search.outcome import SearchRequest
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.reading import load_crops, read_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What results should look like."""

    vector: Floats  # (D,), unit length
    note: str = ""  # whom it shows, if that had to be chosen


def read_reference(
    composition: Composition, layout: StoreLayout, gallery: Gallery, request: SearchRequest
) -> Reference:
    """Finds the vector of a crop in the gallery, or encodes an image file or a person of a moment.

    Raises:
        QueryError: The reference is none of the three, or nobody is there at the moment.
        PipelineMismatchError: The gallery was made with another encoder.
        ArchiveError: The archive of the moment can't be reached.
        VideoError: Its video is gone or can't be decoded.
    """
    like, encoder = request.like, composition.encoder
    is_moment = "@" in like and not _is_file(like)
    if request.box and not is_moment:
        raise QueryError("--box says where a person is in a frame; it needs --like VIDEO@TIME")
    found = _find_crop(gallery, like, encoder.dimension)
    if found is not None:
        return Reference(vector=found)
    if gallery.shards and encoder.model_id != gallery.encoder_id:
        raise PipelineMismatchError(
            f"the gallery was made with {gallery.encoder_id}, but the profile's encoder is {encoder.model_id}; "
            "search with the profile that was used to index the archive"
        )
    if is_moment:
        image, note = read_moment(composition, layout, gallery, like, box=request.box, archive=request.archive)
    else:
        image, note = read_image(like), ""
    return Reference(vector=np.asarray(encoder.encode_images([image])[0], dtype=np.float32), note=note)


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
            "table hits or crops, the path of a JPEG or PNG, or a moment of an indexed video as VIDEO@TIME"
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


def _is_file(like: str) -> bool:
    try:
        return Path(like).is_file()
    except ValueError:  # a null character
        return False


def _find_crop(gallery: Gallery, crop_id: str, dimension: int) -> Floats | None:
    if not (crop_id.isascii() and crop_id.isprintable()):  # ids are hexadecimal
        return None
    for shard in gallery.shards:
        ids = read_columns(shard.directory, ["crop_id"]).column("crop_id")
        if pc.index(ids, pa.scalar(crop_id)).as_py() >= 0:
            return load_crops(shard.directory, [crop_id])[0].vector[:dimension]
    return None

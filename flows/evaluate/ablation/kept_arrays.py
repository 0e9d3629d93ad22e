"""Rows computed from a benchmark's pictures, such as vectors, and stored on disk for the next run."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from anomalylmm.records import Floats, Image
from flows.evaluate.benchmark.records import GalleryImage, read_picture
from flows.runs.progress import Listener
from storage.disk.files import replace_file

CHUNK = 256  # pictures computed and stored together


def compute_once(
    images: Sequence[GalleryImage],
    compute: Callable[[list[Image]], Floats],
    *,
    width: int,
    folder: Path,
    model_id: str,
    suffix: str,
    stage: str,
    listener: Listener,
) -> Floats:
    """Computes one row per picture; shape (N, width). Chunks that an earlier run stored are read instead.

    Raises:
        ArchiveError: A picture can't be read.
        StoreError: The folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listener.start(stage, len(images))
    parts = []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        path = folder / f"{digest_images(chunk, model_id)}{suffix}"
        rows = _read_rows(path, (len(chunk), width))
        if rows is None:
            rows = compute([read_picture(image.path) for image in chunk])
            content = io.BytesIO()
            np.save(content, rows)
            replace_file(path, content.getvalue(), scratch=folder)
        parts.append(rows)
        listener.advance(stage, len(chunk))
    return np.concatenate(parts)


def digest_images(images: Sequence[GalleryImage], model_id: str) -> str:
    """Digests the model and the name, size and modification time of each picture."""
    stats = [(image.name, image.path.stat()) for image in images]
    parts = [model_id, [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _read_rows(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Reads stored rows; None if the file is missing or damaged."""
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.shape == shape else None

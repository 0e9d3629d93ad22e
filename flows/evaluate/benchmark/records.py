"""A benchmark in memory: its pictures, its queries and which pictures are correct answers; knows no file format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.records import Image
from flows.evaluate.benchmark.names import BenchmarkName
from flows.report.picture_files import MAX_BYTES, MAX_PIXELS, decode_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryImage:
    """One picture of the gallery."""

    image_id: str
    name: str  # path relative to the benchmark's root, as its file writes it
    path: Path
    captions: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # the other keys of its row
    where: str = ""  # file and line of its row

    @property
    def twin_id(self) -> str:
        """Id of the picture of the same person doing something else; empty if the row names none."""
        twin = self.extra.get("twin")
        return "" if twin is None else str(twin).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkQuery:
    """One sentence and its positives, as positions in the gallery."""

    query_id: str
    text: str
    positives: tuple[int, ...]  # empty if the benchmark does not publish them
    own: int | None = None  # the picture whose row contains the sentence
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """All pictures and queries of one split."""

    name: BenchmarkName
    split: str
    images: tuple[GalleryImage, ...] = field(repr=False)
    queries: tuple[BenchmarkQuery, ...] = field(repr=False)

    @property
    def has_truth(self) -> bool:
        """Whether every query's positives are known."""
        return all(query.positives for query in self.queries)

    @property
    def is_rendered(self) -> bool:
        """Whether its pictures are rendered rather than recorded."""
        return self.name == "rendered" or any(image.extra.get("rendered") for image in self.images)

    @cached_property
    def _place_of(self) -> dict[str, int]:
        """Position of each image id in the gallery; the first one if several pictures share it."""
        return {image.image_id: place for place, image in reversed(tuple(enumerate(self.images)))}

    def twins_of(self, query: BenchmarkQuery) -> frozenset[int]:
        """Positions of the twins of a query's positives."""
        named = {self.images[place].twin_id for place in query.positives} - {""}
        return frozenset(self._place_of[twin] for twin in named)

    def take(self, limit: int | None) -> "Benchmark":
        """Keeps at most ``limit`` queries, drawn with a fixed seed; the gallery stays complete.

        Taking every n-th query would always pick the same one of two twins in neighboring rows.

        Raises:
            ConfigurationError: The limit is not positive.
        """
        if limit is not None and limit < 1:
            raise ConfigurationError(f"the limit of queries is {limit}; it must be at least 1")
        if limit is None or limit >= len(self.queries):
            return self
        places = np.sort(np.random.default_rng(0).permutation(len(self.queries))[:limit])
        return replace(self, queries=tuple(self.queries[place] for place in places))


def read_picture(path: Path) -> Image:
    """Reads a picture as RGB (H, W, 3).

    Raises:
        ArchiveError: It is missing, not a picture, or larger than the limit.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror or error}") from error
    picture = decode_picture(content, min_side_px=1)
    if picture is None:
        raise ArchiveError(
            f"{path} is not a picture, is damaged or has more than {MAX_PIXELS:,} pixels ({size} bytes); copy it again "
            "from the benchmark's source"
        )
    return picture

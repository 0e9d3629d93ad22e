"""What the sides of the search benchmark share: a folder of pictures, queries and vectors, and how a side is timed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anomalylmm.records import Floats
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.reading import read_columns
from storage.shards.schema import table_vectors

TOLERANCE = 1e-5  # of a cosine in single precision, which differs with the size of the batch


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder with what is searched and what is asked."""

    root: Path

    @property
    def pictures(self) -> Path:
        """JPEG files named by their row, ``000000.jpg`` and on."""
        return self.root / "pictures"

    @property
    def texts(self) -> Path:
        """The queries, a JSON list."""
        return self.root / "texts.json"

    @property
    def vectors(self) -> Path:
        """The vectors of all rows, (N, D)."""
        return self.root / "vectors.npy"

    @property
    def queries(self) -> Path:
        """The vectors of the queries, (Q, D)."""
        return self.root / "queries.npy"

    @property
    def store(self) -> StoreLayout:
        """A store with the same rows, not compacted."""
        return StoreLayout(self.root / "store")


@dataclass(slots=True)
class Laps:
    """How long each step took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def begin(self) -> None:
        """Forgets the time since the last step."""
        self._since = time.perf_counter()

    def end(self, step: str) -> None:
        """Ends a step; the next one begins."""
        now = time.perf_counter()
        self.seconds[step], self._since = now - self._since, now


def write_pictures(gallery: Gallery, target: Path, copies: int = 1) -> int:
    """Writes the crops of a gallery as files, the first copy of all before the second; gives their number."""
    target.mkdir(parents=True)
    number = 0
    for _ in range(copies):
        for shard in gallery.shards:
            for jpeg in read_columns(shard.directory, ["jpeg"]).column("jpeg"):
                (target / f"{number:06d}.jpg").write_bytes(jpeg.as_py())
                number += 1
    return number


def read_gallery(gallery: Gallery) -> tuple[list[str], Floats]:
    """The ids and the vectors (N, D) of all crops, in one order."""
    tables = [read_columns(shard.directory, ["crop_id", "vector"]) for shard in gallery.shards]
    ids = [crop_id for table in tables for crop_id in table.column("crop_id").to_pylist()]
    return ids, np.concatenate([table_vectors(table) for table in tables])


def measure_recall(found: Sequence[Sequence[int]], queries: Floats, vectors: Floats, k: int) -> float:
    """The share of each query's ``k`` best rows that was found, in the mean.

    What scores as the last of them does counts as well: equal pictures have equal vectors.
    """
    wanted, shares = min(k, len(vectors)), []
    for rows, query in zip(found, queries.astype(np.float64), strict=True):
        scores = vectors @ query
        least = np.partition(scores, -wanted)[-wanted] - TOLERANCE
        shares.append(np.count_nonzero(scores[list(set(rows[:wanted]))] >= least) / wanted)
    return float(np.mean(shares))

"""One compacted index: the vectors of many shards of one pipeline in one FAISS index with four bits a dimension.

It is derived: deleting one loses nothing, and searches without it are exact and slower. It is used while each of its
shards is there as it was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter

from anomalylmm.errors import ShardError, StoreError
from anomalylmm.records import Floats
from storage.disk.crashpoints import reach
from storage.disk.files import fsync_path, guarded, write_last
from storage.disk.layout import CROPS_FILE, MANIFEST_FILE, StoreLayout
from storage.disk.notes import Utc, revive, seal
from storage.gallery.opening import GalleryShard
from storage.shards.manifest import FileEntry
from storage.shards.reading import read_columns
from storage.shards.schema import crops_schema
from storage.shards.vectors import open_index, write_index

VECTORS_FILE = "index.faiss"  # rows of one shard after those of another
ROWS_FILE = "rows.arrow"  # ROW_COLUMNS, one record batch a shard
ROW_COLUMNS = ("crop_id", "tracklet_id", "video_id")
FORMAT_VERSION = 2  # 1 held codes of our own
BITS = 4  # of the code of each dimension, for which FAISS has its fast scan
CENTROIDS = 2**BITS  # and rows that training needs at least
TRAINING_ROWS = 16_384  # spread over all shards; 16 centroids a code need few
ITERATIONS = 10
ADDED_AT_ONCE = 1 << 16  # rows in single precision in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedShard:
    """A shard whose rows an index holds."""

    shard_id: str
    rows: int
    crops_sha256: str

    @classmethod
    def of(cls, shard: GalleryShard) -> "CompactedShard":
        """Names a shard as it is now."""
        manifest = shard.manifest
        return cls(shard_id=shard.shard_id, rows=manifest.rows, crops_sha256=manifest.files[CROPS_FILE].sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexManifest:
    """What made a compacted index; written last."""

    pipeline_digest: str
    encoder_id: str
    dimension: int
    rows: int
    shards: tuple[CompactedShard, ...] = field(repr=False)  # in the order of their rows
    files: Mapping[str, FileEntry] = field(repr=False)
    created_utc: Utc
    format_version: int = FORMAT_VERSION

    @property
    def shard_ids(self) -> frozenset[str]:
        """Its shards."""
        return frozenset(shard.shard_id for shard in self.shards)


_MANIFEST = TypeAdapter(IndexManifest)


class CompactedIndex:
    """A compacted index on disk; its vectors are in memory only while they are searched."""

    def __init__(self, directory: Path, *, deep: bool = False) -> None:
        """Reads its manifest and checks the sizes of its files, and with ``deep`` every byte.

        Raises:
            ShardError: If one is missing, or is not as it was written.
        """
        self.directory, self.manifest = directory, read_index_manifest(directory)
        for name, entry in self.manifest.files.items():
            problem = entry.find_problem(directory / name, deep=deep)
            if problem:
                raise ShardError(f"{directory / name} can't be used: {problem}.")
        self._numbers = {shard.shard_id: number for number, shard in enumerate(self.manifest.shards)}

    def search(self, queries: Floats, k: int) -> tuple[Any, Any] | None:
        """Approximate scores and positions in the index of the best rows, both (Q, k); None if it can't be read."""
        with suppress(ShardError):  # another process has just removed it, or it is damaged, which verify names
            path, manifest = self.directory / VECTORS_FILE, self.manifest
            return open_index(path, manifest.rows, manifest.dimension, whole=True).search(queries, k)
        return None

    def read_rows(self, shard_id: str, rows: NDArray[np.int64]) -> pa.Table | None:
        """``ROW_COLUMNS`` of some rows of one of its shards; None if they can't be read here."""
        # as in search: the shard itself has these rows as well
        with suppress(OSError, pa.ArrowException), pa.memory_map(str(self.directory / ROWS_FILE)) as file:
            batch = pa.ipc.open_file(file).get_batch(self._numbers[shard_id])
            return pa.Table.from_batches([batch]).take(rows)
        return None


def iter_index_dirs(layout: StoreLayout) -> Iterator[Path]:
    """The directories of all compacted indexes, whole or not, in order."""
    yield from sorted(layout.indexes.glob("*/*/"))


def open_indexes(layout: StoreLayout, digest: str, shards: Iterable[GalleryShard]) -> tuple[CompactedIndex, ...]:
    """Opens the indexes of a pipeline that hold only valid ``shards``, largest first, each shard in one at most."""
    found = []
    there = frozenset(CompactedShard.of(shard) for shard in shards)
    for directory in layout.indexes_dir(digest).glob("*/"):
        with suppress(StoreError):  # verify names it
            index = CompactedIndex(directory)
            found += [index] if there.issuperset(index.manifest.shards) else []
    chosen: list[CompactedIndex] = []
    for index in sorted(found, key=lambda index: (-index.manifest.rows, index.directory.name)):
        if all(index.manifest.shard_ids.isdisjoint(other.manifest.shard_ids) for other in chosen):
            chosen.append(index)
    return tuple(chosen)


def read_index_manifest(directory: Path) -> IndexManifest:
    """Reads the manifest of an index.

    Raises:
        ShardError: If it has no manifest, or a damaged one, or one of another version.
    """
    path = directory / MANIFEST_FILE
    try:
        with guarded("read", path):
            text = path.read_text(encoding="utf-8")
        manifest = revive(json.loads(text), _MANIFEST)
        if manifest.format_version != FORMAT_VERSION or seal(manifest) != text:
            raise ValueError("it was changed, or another version wrote it")
        if set(manifest.files) != {VECTORS_FILE, ROWS_FILE}:
            raise ValueError(f"it must list {VECTORS_FILE} and {ROWS_FILE}, and no other file")
    except (StoreError, ValueError, RecursionError) as error:
        raise ShardError(f"{path} can't be used: {error}.") from error
    return manifest


def write_index_files(directory: Path, shards: Sequence[GalleryShard]) -> IndexManifest:
    """Writes the FAISS index and the rows of some shards, then the manifest.

    Raises:
        ShardError: If a shard can't be read.
        StoreError: If the files can't be written.
    """
    faiss.omp_set_num_threads(1)  # torch brings another OpenMP into the same process
    first, rows = shards[0].manifest, sum(shard.manifest.rows for shard in shards)
    index = _train(shards, first.dimension, rows)
    for vectors in _iter_vectors(shards):
        index.add(vectors)
    write_index(index, directory / VECTORS_FILE)
    reach("compaction.codes_written")
    _write_rows(directory / ROWS_FILE, shards)
    reach("compaction.rows_written")
    manifest = IndexManifest(
        pipeline_digest=first.key.pipeline_digest,
        encoder_id=first.encoder_id,
        dimension=first.dimension,
        rows=rows,
        shards=tuple(CompactedShard.of(shard) for shard in shards),
        files={name: FileEntry.of(directory / name) for name in (VECTORS_FILE, ROWS_FILE)},
        created_utc=datetime.now(UTC),
    )
    write_last(directory / MANIFEST_FILE, seal(manifest), "compaction.manifest_written")
    return manifest


def _train(shards: Sequence[GalleryShard], dimension: int, rows: int) -> Any:
    step = max(1, rows // TRAINING_ROWS)
    sample = np.concatenate([vectors[::step] for vectors in _iter_vectors(shards)])
    index = faiss.IndexPQFastScan(dimension, dimension, BITS, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = ITERATIONS
    index.pq.cp.min_points_per_centroid = 1  # no warning where there are few
    index.train(np.ascontiguousarray(sample[np.isfinite(sample).all(axis=1)]))
    return index


def _iter_vectors(shards: Sequence[GalleryShard]) -> Iterator[Floats]:
    for shard in shards:
        index = shard.open_index(whole=True)
        for start in range(0, index.ntotal, ADDED_AT_ONCE):
            yield np.asarray(index.reconstruct_n(start, min(ADDED_AT_ONCE, index.ntotal - start)), np.float32)


def _write_rows(path: Path, shards: Sequence[GalleryShard]) -> None:
    """One record batch a shard, uncompressed, so that single rows are read where they lie."""
    schema = pa.schema([crops_schema(1).field(name) for name in ROW_COLUMNS])
    with guarded("write", path):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for shard in shards:
                columns = read_columns(shard.directory, ROW_COLUMNS).combine_chunks().to_batches()[0].columns
                writer.write_batch(pa.record_batch(columns, schema=schema))
        fsync_path(path)

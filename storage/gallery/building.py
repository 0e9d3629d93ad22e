"""Building the files of one compacted index; which shards it is made of is decided elsewhere."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa

from anomalylmm.records import Floats
from storage.disk.crashpoints import reach
from storage.disk.files import fsync_path, guarded, write_last
from storage.disk.notes import seal
from storage.gallery.compacted import (
    MANIFEST_FILE,
    ROW_COLUMNS,
    ROWS_FILE,
    VECTORS_FILE,
    CompactedShard,
    IndexManifest,
)
from storage.gallery.shard import GalleryShard
from storage.shards.manifest import FileEntry
from storage.shards.reading import read_columns
from storage.shards.schema import crops_schema
from storage.shards.vectors import open_or_rebuild, write_index

BITS = 4  # of the code of each dimension, for which FAISS has its fast scan
CENTROIDS = 2**BITS  # and rows that training needs at least
TRAINING_ROWS = 16_384  # spread over all shards; 16 centroids a code need few
ITERATIONS = 10
ADDED_AT_ONCE = 1 << 16  # rows in single precision in memory


def build_index_files(directory: Path, shards: Sequence[GalleryShard]) -> IndexManifest:
    """Writes the FAISS index and the rows of some shards, then the manifest.

    Raises:
        ShardError: If a shard can't be read.
        StoreError: If the files can't be written.
    """
    faiss.omp_set_num_threads(1)  # torch brings another OpenMP into the same process
    index = _train(shards)
    for vectors in (vectors for shard in shards for vectors in _iter_vectors(shard)):
        index.add(vectors)
    write_index(index, directory / VECTORS_FILE)
    reach("compaction.codes_written")
    _write_rows(directory / ROWS_FILE, shards)
    reach("compaction.rows_written")
    first = shards[0].manifest
    manifest = IndexManifest(
        pipeline_digest=first.key.pipeline_digest,
        encoder_id=first.encoder_id,
        dimension=first.dimension,
        rows=sum(shard.rows for shard in shards),
        shards=tuple(CompactedShard.of(shard) for shard in shards),
        files={name: FileEntry.of(directory / name) for name in (VECTORS_FILE, ROWS_FILE)},
        created_utc=datetime.now(UTC),
    )
    write_last(directory / MANIFEST_FILE, seal(manifest), "compaction.manifest_written")
    return manifest


def _train(shards: Sequence[GalleryShard]) -> Any:
    dimension, rows = shards[0].dimension, sum(shard.rows for shard in shards)
    step = max(1, rows // TRAINING_ROWS)
    sample = np.concatenate([vectors[::step] for shard in shards for vectors in _iter_vectors(shard)])
    sample = sample[np.isfinite(sample).all(axis=1)]
    index = faiss.IndexPQFastScan(dimension, dimension, BITS, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = ITERATIONS
    index.pq.cp.min_points_per_centroid = 1  # no warning where there are few
    index.train(np.ascontiguousarray(sample))
    return index


def _write_rows(path: Path, shards: Sequence[GalleryShard]) -> None:
    """One record batch a shard, uncompressed, so that single rows are read where they lie."""
    schema = pa.schema([crops_schema(1).field(name) for name in ROW_COLUMNS])
    with guarded("write", path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for shard in shards:
            columns = read_columns(shard.directory, ROW_COLUMNS).combine_chunks().to_batches()[0].columns
            writer.write_batch(pa.record_batch(columns, schema=schema))
    with guarded("write", path):
        fsync_path(path)


def _iter_vectors(shard: GalleryShard) -> Iterator[Floats]:
    index = open_or_rebuild(shard.directory, shard.rows, shard.dimension, whole=True)
    for start in range(0, shard.rows, ADDED_AT_ONCE):
        yield np.asarray(index.reconstruct_n(start, min(ADDED_AT_ONCE, shard.rows - start)), np.float32)

"""Writing the files of one compacted index; which shards it is made of is decided elsewhere."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from anomalylmm.records import Floats
from storage.disk.crashpoints import reach
from storage.disk.files import fsync_path, guarded, sha256_file, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.locks import acquire, release
from storage.gallery.compacted import CODES_FILE, MANIFEST_FILE, ROW_COLUMNS, ROWS_FILE, CompactedShard, IndexManifest
from storage.gallery.facts import GalleryShard
from storage.gallery.quantizing import Scale, is_finite
from storage.shards.manifest import FileEntry
from storage.shards.reading import read_columns
from storage.shards.schema import crops_schema
from storage.shards.vectors import open_or_rebuild, view_vectors

_NUMBERS_AT_ONCE = 1 << 18  # so that what is computed of them stays in the processor's cache


@contextmanager
def building(layout: StoreLayout, name: str) -> Iterator[Path]:
    """A directory among the temporary ones, locked while it is built in; gone afterwards unless it was renamed.

    Raises:
        StoreError: If it can't be created.
    """
    directory = layout.temporary / unique_name(f"{name}.index")
    with guarded("create", directory):
        directory.mkdir()
        lock = os.open(directory, os.O_RDONLY)
    acquire(lock)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        release(lock)


def build_index_files(directory: Path, shards: Sequence[GalleryShard]) -> IndexManifest:
    """Writes the codes and rows of some shards, then the manifest; two passes over the vectors, a few at a time.

    Raises:
        ShardError: If a shard can't be read.
        StoreError: If the files can't be written.
    """
    scale = _find_scale(shards)
    with guarded("write", directory / CODES_FILE), (directory / CODES_FILE).open("wb") as file:
        largest_error = max(_write_codes(file, shard, scale) for shard in shards)
    reach("compaction.codes_written")
    _write_rows(directory / ROWS_FILE, shards)
    reach("compaction.rows_written")
    first = shards[0].manifest
    manifest = IndexManifest(
        pipeline_digest=first.key.pipeline_digest,
        encoder_id=first.encoder_id,
        dimension=first.dimension,
        rows=sum(shard.facts.rows for shard in shards),
        shards=tuple(CompactedShard.of(shard.facts) for shard in shards),
        low=tuple(scale.low.tolist()),
        step=tuple(scale.step.tolist()),
        largest_error=largest_error,
        files={name: _close_file(directory / name) for name in (CODES_FILE, ROWS_FILE)},
        created_utc=datetime.now(UTC),
    )
    _write_manifest(directory, manifest)
    return manifest


def _write_manifest(directory: Path, manifest: IndexManifest) -> None:
    path = directory / MANIFEST_FILE
    with guarded("write", path):
        path.write_text(manifest.to_json(), encoding="utf-8")
        fsync_path(path)
        fsync_path(directory)
    reach("compaction.manifest_written")


def _find_scale(shards: Sequence[GalleryShard]) -> Scale:
    """The scale that reaches over all vectors, so that none is cut off."""
    least = np.full(shards[0].facts.dimension, np.inf, np.float32)
    most = -least
    for vectors in (vectors for shard in shards for vectors in _iter_vectors(shard)):
        sound = vectors[is_finite(vectors)]
        least = np.minimum(least, sound.min(axis=0, initial=np.inf))
        most = np.maximum(most, sound.max(axis=0, initial=-np.inf))
    return Scale.between(np.where(least > most, 0, least), np.where(least > most, 0, most))


def _write_codes(file: BinaryIO, shard: GalleryShard, scale: Scale) -> float:
    """Gives the largest distance of a vector from what its codes stand for."""
    largest_error = 0.0
    for vectors in _iter_vectors(shard):
        codes, error = scale.encode(vectors)
        file.write(codes.tobytes())
        largest_error = max(largest_error, error)
    return largest_error


def _write_rows(path: Path, shards: Sequence[GalleryShard]) -> None:
    """One record batch a shard, uncompressed, so that single rows are read where they lie."""
    schema = pa.schema([crops_schema(1).field(name) for name in ROW_COLUMNS])
    with guarded("write", path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for shard in shards:
            columns = read_columns(shard.directory, ROW_COLUMNS).combine_chunks().to_batches()[0].columns
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _iter_vectors(shard: GalleryShard) -> Iterator[Floats]:
    facts = shard.facts
    index = open_or_rebuild(shard.directory, facts.rows, facts.dimension, whole=True)
    stored = view_vectors(index)
    size = max(1, _NUMBERS_AT_ONCE // facts.dimension)
    for start in range(0, facts.rows, size):
        yield np.array(stored[start : start + size], np.float32)


def _close_file(path: Path) -> FileEntry:
    with guarded("write", path):
        fsync_path(path)
        return FileEntry(num_bytes=path.stat().st_size, sha256=sha256_file(path))

"""The FAISS index of one shard: flat, with row numbers as labels. It can be rebuilt from the Parquet file."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalylmm.errors import ShardError, StoreError
from anomalylmm.records import Floats
from storage.disk.files import fsync_path, guarded, unique_name
from storage.disk.layout import CROPS_FILE, INDEX_FILE, StoreLayout
from storage.shards.schema import table_vectors


def build_index(crops: Path, dimension: int) -> Any:
    """Builds a flat inner-product index of all vectors in a ``crops.parquet``, one row group at a time.

    Raises:
        ShardError: If the file can't be read.
    """
    index = faiss.IndexFlatIP(dimension)
    try:
        with pq.ParquetFile(crops) as file:
            for group in range(file.num_row_groups):
                index.add(np.ascontiguousarray(table_vectors(file.read_row_group(group, columns=["vector"]))))
    except (OSError, pa.ArrowException, AssertionError) as error:
        raise ShardError(f"Can't read the vectors of {crops}: {error}") from error
    return index


def write_index(index: Any, path: Path) -> None:
    """Writes an index to a new file, durably, and checks that it can be opened.

    Raises:
        StoreError: If it can't be written.
    """
    with guarded("write", path):
        try:
            faiss.write_index(index, os.fspath(path))
        except RuntimeError as error:
            _raise_if_disk_full(path)
            raise StoreError(f"Can't write {path}: {error}. Check the free space, then run again.") from error
        fsync_path(path)
        try:
            open_index(path, index.ntotal, index.d)  # FAISS does not report a failed write of the last bytes
        except ShardError as error:
            _raise_if_disk_full(path)
            raise StoreError(f"Can't write all of {path}: the disk may be full. Free space, then run again.") from error


def _raise_if_disk_full(path: Path) -> None:
    """Writes 1 MiB more, so that a full disk raises the operating system's own error."""
    with path.open("ab") as file:
        file.write(bytes(1 << 20))


def open_index(path: Path, rows: int, dimension: int, *, whole: bool = False) -> Any:
    """Opens an index as a memory map, to use a few of its vectors, or reads it whole, to use all of them.

    FAISS maps for random access: the system then reads page by page, which is far slower if all vectors are needed.

    Raises:
        ShardError: If it is missing, damaged, or has another number of rows or dimension.
    """
    try:
        index = faiss.read_index(os.fspath(path), 0 if whole else faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ShardError(f"Can't open {path}: it is missing or damaged. Run: anomalylmm verify --repair") from error
    if (index.ntotal, index.d) != (rows, dimension):
        raise ShardError(f"{path} holds {index.ntotal} x {index.d} vectors, but {rows} x {dimension} were expected.")
    return index


def open_or_rebuild(directory: Path, rows: int, dimension: int, *, whole: bool = False) -> Any:
    """Opens the index of a shard, or rebuilds it from the Parquet file if it is missing or damaged.

    Raises:
        ShardError: If the Parquet file can't be read either.
    """
    try:
        return open_index(directory / INDEX_FILE, rows, dimension, whole=whole)
    except ShardError:
        return rebuild_index(directory, dimension)


def rebuild_index(directory: Path, dimension: int) -> Any:
    """Rebuilds the index of a shard; if the store can't be written to, it is only kept in memory.

    Raises:
        ShardError: If the Parquet file can't be read.
    """
    index = build_index(directory / CROPS_FILE, dimension)
    building = StoreLayout.of_shard(directory).temporary / unique_name(INDEX_FILE)
    try:
        write_index(index, building)
        building.replace(directory / INDEX_FILE)
        fsync_path(directory)
    except (StoreError, OSError):
        with suppress(OSError):
            building.unlink(missing_ok=True)
    return index


def read_vectors(index: Any, rows: NDArray[np.int64]) -> Floats:
    """The vectors of some rows, (len(rows), D)."""
    if len(rows) == 0:
        return np.zeros((0, index.d), np.float32)
    return np.asarray(index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64)), dtype=np.float32)

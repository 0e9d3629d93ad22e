"""FAISS over the vectors of one shard: exact inner product, label = row number, rebuildable from Parquet."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError, ShardError, StoreError
from anomalylmm.records import Floats
from storage.files import fsync_path, guarded, unique_name
from storage.layout import CROPS_FILE, INDEX_FILE, StoreLayout
from storage.schema import table_vectors

SPARE = 8  # extra results asked of FAISS, so that exact re-scoring decides near-ties at the border


def build_index(crops: Path, dimension: int) -> Any:
    """Flat inner product index of all vectors of a ``crops.parquet``, a row group at a time.

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
    """Writes an index to a new file, durably.

    Raises:
        StoreError: If it can't be written.
    """
    with guarded("write", path):
        try:
            faiss.write_index(index, os.fspath(path))
        except RuntimeError as error:
            _ask_for_room(path)
            raise StoreError(f"Can't write {path}: {error}. Check the free space, then run again.") from error
        fsync_path(path)
        try:
            open_index(path, index.ntotal, index.d)  # FAISS says nothing where the last bytes found no room
        except ShardError as error:
            _ask_for_room(path)
            raise StoreError(f"Can't write {path} whole: the disk may be full. Free space, then run again.") from error


def _ask_for_room(path: Path) -> None:
    """Writes a little more, so that the system says its own reason, where there is one."""
    with path.open("ab") as file:
        file.write(bytes(1 << 20))


def open_index(path: Path, rows: int, dimension: int) -> Any:
    """Opens an index by memory map.

    Raises:
        ShardError: If it is missing, damaged, or not of this many rows and this dimension.
    """
    try:
        index = faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ShardError(f"Can't open {path}: it is missing or damaged. Run: anomalylmm verify --repair") from error
    if (index.ntotal, index.d) != (rows, dimension):
        raise ShardError(f"{path} holds {index.ntotal} x {index.d} vectors, but {rows} x {dimension} were expected.")
    return index


def open_or_rebuild(directory: Path, rows: int, dimension: int) -> Any:
    """The index of a shard; built again from its Parquet file where it is missing or damaged.

    Raises:
        ShardError: If the Parquet file can't be read either.
    """
    try:
        return open_index(directory / INDEX_FILE, rows, dimension)
    except ShardError:
        return rebuild_index(directory, dimension)


def rebuild_index(directory: Path, dimension: int) -> Any:
    """Builds the index of a shard again; kept in memory only where the store can't be written.

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


def search_index(
    index: Any, queries: Floats, k: int, allowed: NDArray[np.bool_] | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Exact best rows for all queries in one pass.

    Args:
        index: An open index of N vectors.
        queries: (Q, D), unit length.
        k: Rows wanted for each query.
        allowed: (N,), rows that may be found; None for all.

    Returns:
        Cosines (Q, k), falling, and row numbers (Q, k); rows are -1 past the last allowed one.

    Raises:
        ShapeError: If the queries have not the index's dimension.
    """
    check_queries(queries, index.d)
    number = index.ntotal if allowed is None else int(allowed.sum())
    wanted = min(k + SPARE, number)
    if wanted == 0 or len(queries) == 0:
        return _pad(np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64), k)
    parameters = None
    if allowed is not None and number < index.ntotal:
        parameters = _select(allowed)
    _, rows = index.search(np.ascontiguousarray(queries, dtype=np.float32), wanted, params=parameters)
    return _pad(*_rescore(index, queries, rows), k)


def read_vectors(index: Any, rows: NDArray[np.int64]) -> Floats:
    """The vectors of some rows, (len(rows), D)."""
    if len(rows) == 0:
        return np.zeros((0, index.d), np.float32)
    return np.asarray(index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64)), dtype=np.float32)


def check_queries(queries: Floats, dimension: int) -> None:
    """Checks the queries' shape.

    Raises:
        ShapeError: If they are not (Q, ``dimension``).
    """
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise ShapeError.of("queries", f"(Q, {dimension})", queries.shape)


def _select(allowed: NDArray[np.bool_]) -> Any:
    library: Any = faiss  # its stubs lack the keyword and the array overload
    return library.SearchParameters(sel=library.IDSelectorBitmap(np.packbits(allowed, bitorder="little")))


def _rescore(index: Any, queries: Floats, rows: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Cosines in double precision, so that they do not depend on how rows are spread over shards."""
    cosines = np.empty(rows.shape, np.float64)
    for number, query in enumerate(queries):
        cosines[number] = read_vectors(index, rows[number]).astype(np.float64) @ query.astype(np.float64)
    order = np.argsort(-cosines, axis=1, kind="stable")
    ordered = np.take_along_axis(cosines, order, axis=1).astype(np.float32)
    return ordered, np.take_along_axis(rows, order, axis=1)


def _pad(cosines: Floats, rows: NDArray[np.int64], k: int) -> tuple[Floats, NDArray[np.int64]]:
    missing = max(0, k - rows.shape[1])
    padding = ((0, 0), (0, missing))
    return (
        np.pad(cosines[:, :k], padding, constant_values=-np.inf),
        np.pad(rows[:, :k], padding, constant_values=-1),
    )

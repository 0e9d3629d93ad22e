"""FAISS search over the vectors of a gallery: flat indexes of single shards, and compacted indexes of many.

A row of the gallery is a number: shards in order, their rows one after another. Compacted indexes are approximate, so
many of their best rows are scored again from the exact vectors.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShardError
from anomalylmm.records import Floats
from storage.gallery.compacted import CompactedIndex
from storage.gallery.scope import SCOPE_COLUMNS, Scope
from storage.gallery.shard import GalleryShard
from storage.shards.reading import read_columns
from storage.shards.vectors import open_or_rebuild, read_vectors

Rows = NDArray[np.int64]
Found = tuple[Floats, Rows]  # scores and rows of the gallery, both (Q, K)
Part = TypeVar("Part")
FLAT_SPARE = 16  # rows of a flat index beyond k, since single precision may misplace equal ones
COARSE_FACTOR = 10  # of compacted indexes, this many times k
COARSE_SPARE = 1000  # and this many more rows are scored again
ROWS_AT_ONCE = 1 << 16  # of exact vectors in memory


@dataclass(frozen=True, slots=True)
class ShardRows:
    """The shards of a gallery and the number of the first row of each."""

    shards: Sequence[GalleryShard]
    firsts: Rows  # (S + 1,), the last is the number of all rows

    def locate(self, rows: Rows) -> Iterator[tuple[int, slice]]:
        """The number of each shard that has some of the ascending rows, and where among them its own are."""
        stops = np.searchsorted(rows, self.firsts)
        for number in np.flatnonzero(np.diff(stops)).tolist():
            yield number, slice(int(stops[number]), int(stops[number + 1]))

    def read_vectors(self, rows: Rows) -> Floats:
        """The exact vectors of ascending rows, (len(rows), D).

        Raises:
            ShardError: If a shard can't be read.
        """
        dimension = self.shards[0].dimension if self.shards else 0
        found = np.empty((len(rows), dimension), np.float32)
        for number, own in self.locate(rows):
            shard = self.shards[number]
            index = open_or_rebuild(shard.directory, shard.rows, shard.dimension)
            found[own] = read_vectors(index, rows[own] - self.firsts[number])
        return found


def search_rows(
    placed: ShardRows, indexes: Sequence[CompactedIndex], queries: Floats, k: int, scope: Scope
) -> list[tuple[Floats, Rows]]:
    """The best rows of each query with their exact cosines, best first, equal ones in the order of rows.

    The arguments are those of ``Gallery.search``.

    Raises:
        ShardError: If a shard or an index can't be read.
    """
    faiss.omp_set_num_threads(1)
    whole = [index for index in indexes if all(scope.admits_whole(shard) for shard in index.members(placed.shards))]
    coarse, searched = _search_compacted(placed, whole, queries, COARSE_FACTOR * k + COARSE_SPARE)
    flat = _search_flat(placed, searched, queries, k + FLAT_SPARE, scope)
    candidates = np.concatenate([coarse, flat], axis=1)  # (Q, C), -1 where there is none
    return _score_exactly(placed, queries, candidates, k)


def _search_parts(
    search: Callable[[Part], Found | None], parts: Sequence[Part], num_queries: int, k: int
) -> tuple[Rows, list[Part]]:
    """Searches several parts at once; gives the best rows of all, (Q, k), -1 where there is none, and who had some.

    FAISS releases the interpreter's lock. Its own OpenMP threads are switched off: torch brings another OpenMP into the
    same process.
    """
    heap = faiss.ResultHeap(num_queries, k, keep_max=True)
    heap.I[:] = -1
    searched = list[Part]()
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        for part, found in zip(parts, pool.map(search, parts), strict=True):
            if found:
                heap.add_result(*found)
                searched.append(part)
    return np.asarray(heap.I), searched


def _search_compacted(
    placed: ShardRows, indexes: Sequence[CompactedIndex], queries: Floats, k: int
) -> tuple[Rows, frozenset[str]]:
    """The best rows by approximate scores, (Q, k), and the shards searched: not those of an index removed meanwhile."""
    numbers = {shard.shard_id: number for number, shard in enumerate(placed.shards)}

    def search(index: CompactedIndex) -> Found | None:
        with suppress(ShardError):
            scores, labels = index.search(queries, k)
            own = [numbers[shard.shard_id] for shard in index.manifest.shards]
            rows = np.concatenate([np.arange(placed.firsts[number], placed.firsts[number + 1]) for number in own])
            return scores, np.where(labels < 0, -1, rows[labels])
        return None

    found, searched = _search_parts(search, indexes, len(queries), k)
    return found, frozenset[str]().union(*(index.manifest.shard_ids for index in searched))


def _search_flat(placed: ShardRows, left_out: frozenset[str], queries: Floats, k: int, scope: Scope) -> Rows:
    def search(part: tuple[GalleryShard, int]) -> Found | None:
        shard, first = part
        parameters = None
        if not scope.admits_whole(shard):
            chosen = scope.mask(read_columns(shard.directory, SCOPE_COLUMNS), shard)
            if not chosen.any():
                return None
            parameters = _select(chosen)
        index = open_or_rebuild(shard.directory, shard.rows, shard.dimension, whole=True)
        scores, labels = index.search(queries, min(k, shard.rows), params=parameters)
        return scores, np.where(labels < 0, -1, labels + first)

    parts = [
        (shard, first)
        for shard, first in zip(placed.shards, placed.firsts.tolist(), strict=False)
        if shard.rows and shard.shard_id not in left_out and scope.admits(shard)
    ]
    return _search_parts(search, parts, len(queries), k)[0]


def _select(chosen: NDArray[np.bool_]) -> Any:
    library: Any = faiss  # whose type hints are those of C++
    return library.SearchParameters(sel=library.IDSelectorBitmap(np.packbits(chosen, bitorder="little")))


def _score_exactly(placed: ShardRows, queries: Floats, candidates: Rows, k: int) -> list[tuple[Floats, Rows]]:
    """Cosines in double precision, which depend on the two vectors alone: the same whatever was compacted."""
    owners, columns = np.nonzero(candidates >= 0)
    rows = candidates[owners, columns]
    order = np.argsort(rows, kind="stable")
    cosines = np.empty(len(rows), np.float32)
    for start in range(0, len(order), ROWS_AT_ONCE):
        some = order[start : start + ROWS_AT_ONCE]
        unique, places = np.unique(rows[some], return_inverse=True)
        vectors = placed.read_vectors(unique)
        for query in np.unique(owners[some]).tolist():
            own = owners[some] == query
            with np.errstate(invalid="ignore", over="ignore"):  # damaged vectors
                cosines[some[own]] = vectors[places[own]].astype(np.float64) @ queries[query].astype(np.float64)
    return [_best(cosines[owners == query], rows[owners == query], k) for query in range(len(queries))]


def _best(cosines: Floats, rows: Rows, k: int) -> tuple[Floats, Rows]:
    finite = np.isfinite(cosines)
    cosines, rows = cosines[finite], rows[finite]
    order = np.lexsort((rows, -cosines))[:k]
    return cosines[order], rows[order]

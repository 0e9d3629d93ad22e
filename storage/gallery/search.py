"""FAISS search over the vectors of a gallery: flat indexes of single shards, and compacted indexes of many.

A row of the gallery is a number: shards in order, their rows one after another. Compacted indexes are approximate, so
many of their best rows are scored again from the exact vectors.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from anomalylmm.records import Floats
from storage.gallery.index_files import CompactedIndex
from storage.gallery.opening import GalleryShard
from storage.gallery.scope import SCOPE_COLUMNS, Scope
from storage.shards.reading import read_columns
from storage.shards.vectors import read_vectors

Rows = NDArray[np.int64]
Found = tuple[Floats, Rows]  # scores, and rows of the gallery, -1 where there is none; both (Q, K)
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
        found = np.empty((len(rows), self.shards[0].manifest.dimension), np.float32)
        for number, own in self.locate(rows):
            found[own] = read_vectors(self.shards[number].open_index(whole=False), rows[own] - self.firsts[number])
        return found


def search_rows(placed: ShardRows, indexes: Sequence[CompactedIndex], queries: Floats, k: int, scope: Scope) -> Found:
    """The best rows of each query with their exact cosines, best first, equal ones in the order of rows.

    The arguments are those of ``Gallery.search``.

    Raises:
        ShardError: If a shard or an index can't be read.
    """
    faiss.omp_set_num_threads(1)
    coarse, searched = _search_compacted(placed, indexes, queries, COARSE_FACTOR * k + COARSE_SPARE, scope)
    loose = [number for number, shard in enumerate(placed.shards) if shard.shard_id not in searched]
    flat = _search_flat(placed, loose, queries, k + FLAT_SPARE, scope)
    return _score_exactly(placed, queries, np.concatenate([coarse, flat], axis=1), k)


def _search_parts(search: Callable[[Part], Found | None], parts: Sequence[Part], num_queries: int, k: int) -> Rows:
    """Searches several parts at once; gives the best rows of all, (Q, k), -1 where there is none.

    FAISS releases the interpreter's lock. Its own OpenMP threads are switched off: torch brings another OpenMP into the
    same process.
    """
    heap = faiss.ResultHeap(num_queries, k, keep_max=True)
    heap.I[:] = -1
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        for found in filter(None, pool.map(search, parts)):
            heap.add_result(*found)
    return np.asarray(heap.I)


def _search_compacted(
    placed: ShardRows, indexes: Sequence[CompactedIndex], queries: Floats, k: int, scope: Scope
) -> tuple[Rows, set[str]]:
    """The best rows by approximate scores, (Q, k), and the shards searched: not those of an index removed meanwhile."""
    whole = {shard.shard_id: number for number, shard in enumerate(placed.shards) if scope.admits_whole(shard)}
    searched = set[str]()

    def search(index: CompactedIndex) -> Found | None:
        found = index.search(queries, k)
        if found is None:
            return None
        searched.update(index.manifest.shard_ids)
        own = [whole[shard.shard_id] for shard in index.manifest.shards]
        rows = np.concatenate([np.arange(placed.firsts[number], placed.firsts[number + 1]) for number in own])
        return found[0], np.where(found[1] < 0, -1, rows[found[1]])

    used = [index for index in indexes if whole.keys() >= index.manifest.shard_ids]
    return _search_parts(search, used, len(queries), k), searched


def _search_flat(placed: ShardRows, numbers: Sequence[int], queries: Floats, k: int, scope: Scope) -> Rows:
    library: Any = faiss  # whose type hints are those of C++

    def search(number: int) -> Found | None:
        shard, parameters = placed.shards[number], None
        if not scope.admits_whole(shard):
            chosen = scope.mask(read_columns(shard.directory, SCOPE_COLUMNS), shard)
            if not chosen.any():
                return None
            bits = np.packbits(chosen, bitorder="little")
            parameters = library.SearchParameters(sel=library.IDSelectorBitmap(bits))
        index = shard.open_index(whole=True)
        scores, labels = index.search(queries, min(k, index.ntotal), params=parameters)
        return scores, np.where(labels < 0, -1, labels + placed.firsts[number])

    filled = np.diff(placed.firsts) > 0
    parts = [number for number in numbers if filled[number] and scope.admits(placed.shards[number])]
    return _search_parts(search, parts, len(queries), k)


def _score_exactly(placed: ShardRows, queries: Floats, candidates: Rows, k: int) -> Found:
    """The best of the candidates, (Q, C), by cosines that are the same whatever was compacted.

    They are computed in double precision, so that they depend on the two vectors alone.
    """
    rows = np.unique(candidates[candidates >= 0])
    places = np.where(candidates < 0, -1, np.searchsorted(rows, candidates))
    cosines = np.full(candidates.shape, np.nan, np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        vectors = placed.read_vectors(rows[start : start + ROWS_AT_ONCE])
        for query, own in enumerate((places >= start) & (places < start + ROWS_AT_ONCE)):
            with np.errstate(invalid="ignore", over="ignore"):  # damaged vectors
                few = vectors[places[query, own] - start].astype(np.float64)
                cosines[query, own] = few @ queries[query].astype(np.float64)
    cosines[~np.isfinite(cosines)] = -np.inf
    best = np.lexsort((candidates, -cosines))[:, :k]
    cosines, rows = np.take_along_axis(cosines, best, axis=1), np.take_along_axis(candidates, best, axis=1)
    return cosines, np.where(np.isinf(cosines), -1, rows)

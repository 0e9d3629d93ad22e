"""The parts that a gallery is scanned in: single shards by their own vectors, compacted indexes by their codes.

A row of the gallery is a number: shards in order, their rows one after another. Parts give blocks of vectors with the
numbers of their rows; each block is small enough to stay in the processor's cache beside the product made of it.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalylmm.records import Floats
from storage.gallery.compacted import ROW_COLUMNS, CompactedIndex
from storage.gallery.facts import GalleryShard
from storage.gallery.quantizing import Codes, Form, coded_form, plain_form
from storage.gallery.scope import SCOPE_COLUMNS, Scope
from storage.gallery.shortlist import Shortlist
from storage.shards.reading import read_columns, read_rows
from storage.shards.vectors import open_or_rebuild, view_vectors

BLOCK_BYTES = 1 << 20  # of vectors in single precision; the second-level cache of today's processors holds it
QUERIES_AT_ONCE = 256
Rows = NDArray[np.int64]
Block = tuple[Floats, Rows]


class Part(Protocol):
    """Some shards that are scanned together."""

    def form(self, queries: Floats) -> Form:
        """What the queries (Q, D) become for the product with this part's blocks."""

    def iter_blocks(self, scope: Scope) -> Iterator[Block]:
        """Vectors in scope, (B, D), in an array that the next block overwrites, and their rows of the gallery, (B,)."""

    def read_table(self, shard: GalleryShard, rows: Rows) -> pa.Table:
        """``ROW_COLUMNS`` of some rows of one shard of this part."""


class ShardPart:
    """One shard, by the exact vectors of its own index."""

    def __init__(self, shard: GalleryShard, first: int) -> None:
        """Remembers the shard and the gallery's number of its first row."""
        self._shard, self._first = shard, first

    def form(self, queries: Floats) -> Form:
        """The queries as they are."""
        return plain_form(queries)

    def iter_blocks(self, scope: Scope) -> Iterator[Block]:
        """Its vectors in scope."""
        shard, facts = self._shard, self._shard.facts
        if facts.rows == 0 or not scope.admits(shard):
            return
        rows = np.arange(facts.rows)
        if scope.is_timed:
            rows = rows[scope.mask(read_columns(shard.directory, SCOPE_COLUMNS), shard)]
        index = open_or_rebuild(shard.directory, facts.rows, facts.dimension, whole=True)
        yield from _iter_blocks(view_vectors(index), rows, rows + self._first)

    def read_table(self, shard: GalleryShard, rows: Rows) -> pa.Table:
        """Read from the Parquet file."""
        return read_rows(shard.directory, rows, ROW_COLUMNS)


class CompactedPart:
    """The shards of a compacted index, by their codes."""

    def __init__(self, index: CompactedIndex, shards: Sequence[GalleryShard], firsts: Sequence[int]) -> None:
        """Remembers the index, its shards, and the gallery's numbers of their first rows."""
        self._index, self._shards, self._firsts = index, shards, firsts

    def form(self, queries: Floats) -> Form:
        """The queries scaled as the codes are."""
        return coded_form(queries, self._index.manifest.scale, self._index.manifest.largest_error)

    def iter_blocks(self, scope: Scope) -> Iterator[Block]:
        """Its codes in scope; its pages leave the memory afterwards."""
        try:
            chosen = [self._choose(scope, *pair) for pair in zip(self._shards, self._firsts, strict=True)]
            positions, rows = (np.concatenate(pieces) for pieces in zip(*chosen, strict=True))
            yield from _iter_blocks(self._index.codes, positions, rows)
        finally:
            self._index.release()

    def read_table(self, shard: GalleryShard, rows: Rows) -> pa.Table:
        """Read from the index; its pages leave the memory afterwards."""
        table = self._index.read_table(shard.shard_id).take(pa.array(rows))
        self._index.release()
        return table

    def _choose(self, scope: Scope, shard: GalleryShard, first: int) -> tuple[Rows, Rows]:
        """Rows of one shard in scope: their positions in the index, and their numbers in the gallery."""
        rows = np.arange(shard.facts.rows if scope.admits(shard) else 0)
        if len(rows) and scope.is_timed:
            rows = rows[scope.mask(self._index.read_table(shard.shard_id), shard)]
        return rows + self._index.starts[shard.shard_id], rows + first


def scan(parts: Sequence[Part], queries: Floats, scope: Scope, shortlist: Shortlist) -> None:
    """Offers all rows in scope to the shortlist, by one matrix product a block for many queries at once."""
    for part in parts:
        form = part.form(queries)
        for block, rows in part.iter_blocks(scope):
            for first in range(0, len(queries), QUERIES_AT_ONCE):
                some = slice(first, first + QUERIES_AT_ONCE)
                scores = form.weights[some] @ block.T
                shortlist.add(first, scores, form.offsets[some], form.slacks[some], rows)


def _iter_blocks(stored: Floats | Codes, positions: Rows, rows: Rows) -> Iterator[Block]:
    size = max(64, BLOCK_BYTES // (4 * stored.shape[1]))
    room = np.empty((min(size, len(positions)), stored.shape[1]), np.float32)
    for start in range(0, len(positions), size):
        some = positions[start : start + size]
        block = room[: len(some)]
        is_run = some[-1] - some[0] == len(some) - 1
        np.copyto(block, stored[some[0] : some[-1] + 1] if is_run else stored[some])
        yield block, rows[start : start + size]

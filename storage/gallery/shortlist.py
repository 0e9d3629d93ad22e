"""What may be among the best crops of each query while a gallery is scanned; knows no file.

A score that is not exact comes with its slack, the most by which it can be wrong. Nothing is dropped that could still
be among the best, so the end is exact whatever the scores were made from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from anomalylmm.records import Floats

ExactScores = Callable[[NDArray[np.int64], NDArray[np.int64]], Floats]  # of M queries' numbers and M rows, (M,)
MAX_WAITING = 1 << 20  # entries, some 30 bytes each; then exact scores are asked for
MIN_WAITING = 1 << 15


@dataclass(slots=True)
class _Entries:
    """M crops that may be among the best of their queries."""

    queries: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (M,)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (M,), of the gallery
    lower: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # (M,), the score is at least this
    upper: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # (M,), and at most this; equal: exact

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "_Entries":
        return _Entries(*(getattr(self, item.name)[chosen] for item in fields(self)))


class Shortlist:
    """The crops that may be among the ``k`` best of Q queries, with bounds of their scores."""

    def __init__(self, num_queries: int, k: int, exact_scores: ExactScores) -> None:
        """Begins with nothing.

        Args:
            num_queries: Q.
            k: Crops wanted for each query.
            exact_scores: Gives the exact scores of M crops, each for its query.
        """
        self._num_queries, self._k, self._exact_scores = num_queries, k, exact_scores
        self._entries = _Entries()
        self._added: list[_Entries] = []
        self.num_waiting, self._limit = 0, MIN_WAITING
        self.floors = np.full(num_queries, -np.inf, np.float32)  # (Q,); what scores less is not among the best

    def add(self, first: int, scores: Floats, offsets: Floats, slacks: Floats, rows: NDArray[np.int64]) -> None:
        """Takes in what can be among the best.

        Args:
            first: Number of the first of these queries.
            scores: (Q', B), of B crops for each.
            offsets: (Q',), to be added to each query's scores.
            slacks: (Q',), how wrong the scores can be.
            rows: (B,), the crops' rows in the gallery.
        """
        floors = self.floors[first : first + len(scores)] - slacks - offsets
        found = np.flatnonzero(scores >= floors[:, None])
        found = found[scores.reshape(-1)[found] < np.inf]  # of vectors without sense
        if len(found) == 0:
            return
        own, columns = np.divmod(found, scores.shape[1])
        values, wrong = scores.reshape(-1)[found] + offsets[own], slacks[own]
        self._added.append(_Entries(own + first, rows[columns], values - wrong, values + wrong))
        self.num_waiting += len(found)
        if self.num_waiting >= self._limit:
            self._tighten()

    def best(self) -> tuple[Floats, NDArray[np.int64]]:
        """Exact scores (Q, k), falling, and rows (Q, k); -1 where there are no more. Equal ones come in rows' order."""
        self._settle()
        entries, k = self._entries, self._k
        scores = np.full((self._num_queries, k), -np.inf, np.float32)
        rows = np.full((self._num_queries, k), -1, np.int64)
        ranks = _ranks(entries.queries)
        scores[entries.queries, ranks] = entries.lower
        rows[entries.queries, ranks] = entries.rows
        return scores, rows

    def _tighten(self) -> None:
        """Drops what can't be among the best any more; where too much is left, asks for exact scores."""
        self._gather()
        self._drop()
        if len(self._entries) > MAX_WAITING:
            self._settle()
        self.num_waiting = len(self._entries)
        self._limit = max(MIN_WAITING, 2 * self.num_waiting)

    def _settle(self) -> None:
        """Leaves the ``k`` best of each query with exact scores, in order; asks for the most promising first."""
        self._gather()
        self._drop()
        promising = _ranks_by(self._entries.queries, self._entries.upper) < 2 * self._k
        self._make_exact(promising)
        self._drop()
        self._make_exact(np.ones(len(self._entries), np.bool_))
        found = self._entries.take(self._entries.lower > -np.inf)
        ordered = found.take(np.lexsort((found.rows, -found.lower, found.queries)))
        self._entries = ordered.take(_ranks(ordered.queries) < self._k)
        self._raise_floors()

    def _gather(self) -> None:
        pieces = [self._entries, *self._added]
        self._added = []
        names = [item.name for item in fields(_Entries)]
        self._entries = _Entries(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))

    def _drop(self) -> None:
        self._raise_floors()
        self._entries = self._entries.take(self._entries.upper >= self.floors[self._entries.queries])

    def _raise_floors(self) -> None:
        """A query's floor is the ``k``-th of what its crops score at least."""
        entries = self._entries
        is_last = _ranks_by(entries.queries, entries.lower) == self._k - 1
        queries = entries.queries[is_last]
        self.floors[queries] = np.maximum(self.floors[queries], entries.lower[is_last])

    def _make_exact(self, chosen: NDArray[np.bool_]) -> None:
        entries = self._entries
        asked = np.flatnonzero(chosen & (entries.lower != entries.upper))
        if len(asked):
            exact = self._exact_scores(entries.queries[asked], entries.rows[asked])
            entries.lower[asked] = entries.upper[asked] = exact


def _ranks_by(queries: NDArray[np.int64], values: Floats) -> NDArray[np.int64]:
    """Each entry's rank among those of its query, highest value first, (M,)."""
    order = np.lexsort((-values, queries))
    ranks = np.empty(len(queries), np.int64)
    ranks[order] = _ranks(queries[order])
    return ranks


def _ranks(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each entry among those of its query, where they lie together, (M,)."""
    return np.arange(len(ordered)) - np.searchsorted(ordered, ordered)

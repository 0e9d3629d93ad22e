"""Retrieval metrics by numbers alone: ranks, recall, average precision, paired bootstrap; knows no benchmark.

AP is the mean precision at the hits, as in PAB's own evaluation: with one positive it is 1 / rank.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError

RESAMPLES = 2000
SEED = 20_250_904
_BLOCK = 256  # resamples drawn at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What a benchmark's table shows, as shares 0..1."""

    num_queries: int
    r1: float
    r5: float
    r10: float
    map: float
    map10: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinConfusion:
    """How many of the top-1 errors are the right person doing the wrong thing."""

    num_errors: int  # among queries whose positive has a twin
    num_twins: int

    @property
    def share(self) -> float:
        """Share of the errors; 0 if there is none."""
        return self.num_twins / self.num_errors if self.num_errors else 0.0


def order_by_score(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Orders N items by falling score; equal scores keep the items' own order, NaN comes last. Shape (N,).

    Raises:
        ShapeError: The scores are not (N,).
    """
    if scores.ndim != 1:
        raise ShapeError.of("scores", "(N,)", scores.shape)
    return np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")


def positive_ranks(ranked: Sequence[int] | NDArray[np.integer], positives: Collection[int]) -> tuple[int, ...]:
    """Finds the 0-based ranks of the positives in a ranked list, ascending; what is not listed has none.

    Raises:
        ShapeError: An item is listed twice.
    """
    items = np.asarray(ranked)
    if len(np.unique(items)) != len(items):
        raise ShapeError(f"a ranking must list each item once, but {len(items)} places hold fewer items")
    return tuple(np.flatnonzero(np.isin(items, list(positives))).tolist())


def recall_at(ranks: Sequence[Sequence[int]], k: int) -> NDArray[np.float64]:
    """Returns for each of Q queries whether a positive is among the first ``k``; 0 or 1, shape (Q,)."""
    return np.array([1.0 if any(rank < k for rank in found) else 0.0 for found in ranks], dtype=np.float64)


def average_precision(ranks: Sequence[int], num_positives: int | None = None, limit: int | None = None) -> float:
    """Computes the mean precision at the hits of one query.

    Args:
        ranks: 0-based ranks of the positives that were found.
        num_positives: How many there are in all; by default as many as ranks. Those not found count as 0.
        limit: Only this many first places count (AP@limit); the best possible value is still 1.

    Raises:
        ShapeError: There is no positive, or fewer than ranks.
    """
    total = len(ranks) if num_positives is None else num_positives
    if total < 1 or total < len(ranks):
        raise ShapeError(
            f"a query must have at least one positive and {len(ranks)} were found, but num_positives is {total}"
        )
    hits = sorted(rank for rank in ranks if limit is None or rank < limit)
    best = total if limit is None else min(total, limit)
    return sum((number + 1) / (rank + 1) for number, rank in enumerate(hits)) / best


def average_precisions(
    ranks: Sequence[Sequence[int]], num_positives: Sequence[int] | None = None, limit: int | None = None
) -> NDArray[np.float64]:
    """Computes the average precision of Q queries; shape (Q,)."""
    totals = num_positives if num_positives is not None else [len(found) for found in ranks]
    pairs = zip(ranks, totals, strict=True)
    return np.array([average_precision(found, total, limit) for found, total in pairs], dtype=np.float64)


def measure(ranks: Sequence[Sequence[int]], num_positives: Sequence[int] | None = None) -> Measures:
    """Computes R@1, R@5, R@10, mAP and mAP@10 from the ranks of each query's positives.

    Raises:
        ShapeError: There is no query, or one without a positive.
    """
    if not ranks:
        raise ShapeError("metrics need at least one query, but there is none")
    return Measures(
        num_queries=len(ranks),
        r1=float(recall_at(ranks, 1).mean()),
        r5=float(recall_at(ranks, 5).mean()),
        r10=float(recall_at(ranks, 10).mean()),
        map=float(average_precisions(ranks, num_positives).mean()),
        map10=float(average_precisions(ranks, num_positives, 10).mean()),
    )


def bootstrap_mean(values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED) -> Interval:
    """Returns the mean of Q values with its 95 % percentile interval over resampled queries.

    Raises:
        ShapeError: The values are not (Q,), or there is none.
    """
    if values.ndim != 1 or len(values) == 0:
        raise ShapeError.of("values", "(Q,) with Q > 0", values.shape)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(0, len(values), (min(_BLOCK, resamples - start), len(values)))].mean(axis=1)
            for start in range(0, resamples, _BLOCK)
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def paired_difference(
    after: NDArray[np.float64], before: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """Returns the mean difference of two methods over the same Q queries with its 95 % interval.

    Queries are resampled in pairs, so what makes a query hard for both does not widen the interval.

    Raises:
        ShapeError: The two do not have the same shape (Q,).
    """
    if after.shape != before.shape:
        raise ShapeError.of("after", f"{before.shape}", after.shape)
    return bootstrap_mean(after - before, resamples=resamples, seed=seed)


def twin_confusion(
    first: Sequence[int], positives: Sequence[Collection[int]], twins: Sequence[Collection[int]]
) -> TwinConfusion:
    """Counts the top-1 errors that are a twin of the positive: the right person doing the wrong thing.

    Args:
        first: The first-ranked item of each of Q queries.
        positives: The positives of each query.
        twins: The twins of each query's positives; queries without any are left out.
    """
    errors = [
        item in others
        for item, right, others in zip(first, positives, twins, strict=True)
        if others and item not in right
    ]
    return TwinConfusion(num_errors=len(errors), num_twins=sum(errors))

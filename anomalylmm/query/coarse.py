"""The arithmetic of the coarse search: z-scores, floors and the best tracklets; knows no index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError

MIN_STD = 1e-3  # of cosines: a gallery of equal crops must not make z-scores explode
MAD_TO_STD = 1.4826  # of a normal distribution
MIN_FOR_MEDIAN = 20  # below, the median of deviations is too coarse


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackletScore:
    """A tracklet of the coarse order; rows point into the scores it was made from, best first."""

    tracklet_id: str
    rows: tuple[int, ...]
    cosine: float
    z_score: float


def background(scores: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measures what is usual in a gallery for Q queries from the scores (Q, B) of B of its crops.

    Returns center (Q,) and spread (Q,). They are the median and the scaled median absolute deviation, because a
    hundred true falls among 4,096 crops would raise mean and standard deviation and hide themselves. With under 20
    crops the spread is the standard deviation. Without crops they are (0, 1).

    Raises:
        ShapeError: The scores are not (Q, B).
    """
    if scores.ndim != 2:
        raise ShapeError.of("scores", "(Q, B)", scores.shape)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape[1] == 0:
        return np.zeros(len(values)), np.ones(len(values))
    center = np.median(values, axis=1)
    spread = MAD_TO_STD * np.median(np.abs(values - center[:, None]), axis=1)
    if values.shape[1] < MIN_FOR_MEDIAN:
        spread = values.std(axis=1)
    return center, np.maximum(spread, MIN_STD)


def z_scores(scores: NDArray[np.floating], mean: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Puts the scores (Q, N) of Q queries in units of their background (Q,) and (Q,); shape (Q, N).

    Raises:
        ShapeError: There is not one mean and one spread for each query.
    """
    if scores.ndim != 2 or mean.shape != scores.shape[:1] or std.shape != scores.shape[:1]:
        raise ShapeError(
            f"scores {scores.shape} need one mean and spread per query, but have {mean.shape}, {std.shape}"
        )
    return np.asarray((scores - mean[:, None]) / std[:, None], dtype=np.float64)


def best_tracklets(
    scores: NDArray[np.floating],
    tracklet_ids: Sequence[str] | NDArray[np.str_],
    *,
    mean: float,
    std: float,
    floor_z: float,
    top_n: int,
) -> tuple[TrackletScore, ...]:
    """Groups the scores (N,) of one query's crops by tracklet and gives the best tracklets above the floor.

    A tracklet scores as its best crop, because a fall may show in one crop only. Equal scores are ordered by tracklet
    id, so the result does not depend on the order of the rows.

    Raises:
        ShapeError: There is not one tracklet id for each score.
    """
    if scores.shape != (len(tracklet_ids),):
        raise ShapeError.of("scores", f"({len(tracklet_ids)},)", scores.shape)
    if len(scores) == 0 or top_n <= 0:
        return ()
    values = np.asarray(scores, dtype=np.float64)
    ids, owner = np.unique(np.asarray(tracklet_ids), return_inverse=True)
    order = np.lexsort((np.arange(len(values)), -values, owner))  # by tracklet, best first inside
    starts = np.searchsorted(owner[order], np.arange(len(ids)))
    stops = np.append(starts[1:], len(values))
    pooled = values[order][starts]
    standing = (pooled - mean) / max(std, MIN_STD)
    ranked = np.lexsort((np.arange(len(ids)), -pooled))
    kept = [index for index in ranked.tolist() if standing[index] >= floor_z][:top_n]
    return tuple(
        TrackletScore(
            tracklet_id=str(ids[index]),
            rows=tuple(order[starts[index] : stops[index]].tolist()),
            cosine=float(pooled[index]),
            z_score=float(standing[index]),
        )
        for index in kept
    )

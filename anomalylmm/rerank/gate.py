"""Which candidates need the judge, and which share a judgement; decided from the coarse search alone, knows no judge.

If the first candidate is far ahead and all wordings of the query agree on it, the coarse order needs no judge. A
candidate that is gated out has no verdict: it can't become a hit and keeps its place in the coarse order.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from anomalylmm.records import Candidate, Floats
from anomalylmm.rerank.score import RerankSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseHint:
    """What the coarse search knows of a candidate beyond its score."""

    view_cosines: tuple[float, ...] = ()  # of its best crop with each view of the query: text, paraphrases, picture
    vector: Floats | None = field(default=None, repr=False)  # (D,) of its best crop, unit length


Hints = Mapping[str, CoarseHint]  # by tracklet id


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingPlan:
    """Positions in the coarse order: who is judged, who waits, and whose judgement each one shares."""

    chosen: tuple[int, ...]
    waiting: tuple[int, ...] = ()
    leader_of: Mapping[int, int] = field(default_factory=dict)  # of all chosen; most lead themselves

    @property
    def leaders(self) -> tuple[int, ...]:
        """Those that the judge is really asked about."""
        return tuple(position for position in self.chosen if self.leader_of[position] == position)


def plan_judging(candidates: Sequence[Candidate], hints: Hints, settings: RerankSettings) -> JudgingPlan:
    """Plans the judging of candidates in coarse order by the gate and by near-identical pictures."""
    known = [hints.get(candidate.tracklet_id, CoarseHint()) for candidate in candidates]
    chosen = list(range(len(candidates)))
    if settings.gate:
        z_scores = [candidate.z_score for candidate in candidates]
        chosen = choose_uncertain(z_scores, [hint.view_cosines for hint in known], settings.gate_margin)
    leaders = find_leaders([known[position].vector for position in chosen], settings.same_cosine)
    return JudgingPlan(
        chosen=tuple(chosen),
        waiting=tuple(sorted(set(range(len(candidates))) - set(chosen))),
        leader_of={position: chosen[leader] for position, leader in zip(chosen, leaders, strict=True)},
    )


def choose_uncertain(z_scores: Sequence[float], view_cosines: Sequence[Sequence[float]], margin: float) -> list[int]:
    """Lists the candidates that could be first: within the margin of the best, or first for some view of the query.

    The best itself is always among them, since a hit needs a verdict. An infinite margin chooses all.

    Args:
        z_scores: One per candidate, in coarse order.
        view_cosines: One row per candidate, one number per view; views that not all candidates have are not counted.
        margin: Difference of z-scores up to which two candidates count as equal.
    """
    if not z_scores:
        return []
    best = float(np.nanmax(z_scores)) if not np.isnan(z_scores).all() else 0.0
    near = {position for position, z_score in enumerate(z_scores) if not best - z_score > margin}
    return sorted({0} | near | _first_of_views(view_cosines))


def find_leaders(vectors: Sequence[Floats | None], same_cosine: float) -> list[int]:
    """Finds for each of N candidates the first one before it whose picture is nearly the same, or itself.

    Args:
        vectors: (D,) of each candidate's best crop; one without a vector leads itself.
        same_cosine: Cosine from which two pictures are nearly the same; 0 switches it off.
    """
    leaders: list[int] = []
    seen: list[int] = []  # leaders with a vector, and their vectors below
    known = np.zeros((len(vectors), next((len(vector) for vector in vectors if vector is not None), 0)), np.float32)
    for position, vector in enumerate(vectors):
        leaders.append(position)
        if vector is None or same_cosine == 0:
            continue
        same = np.flatnonzero(known[: len(seen)] @ vector >= same_cosine)
        if len(same):
            leaders[-1] = seen[int(same[0])]
        else:
            known[len(seen)] = vector
            seen.append(position)
    return leaders


def weave(judged: Sequence[int], waiting: Sequence[int]) -> tuple[int, ...]:
    """Joins judged positions in their new order with waiting ones in coarse order.

    A waiting candidate goes behind all judged ones that the coarse search had before it: a judged one that moved up
    from far below does not push the others down past it.
    """
    result: list[int] = []
    left = deque(sorted(waiting))
    firsts = list(accumulate(reversed(judged), min))[::-1]  # of each place and all behind it
    for position, first in zip(judged, firsts, strict=True):
        while left and left[0] < first:
            result.append(left.popleft())
        result.append(position)
    return (*result, *left)


def _first_of_views(view_cosines: Sequence[Sequence[float]]) -> set[int]:
    width = min((len(row) for row in view_cosines), default=0)
    if width == 0:
        return set()
    table = np.array([row[:width] for row in view_cosines], dtype=np.float64)
    return set(np.argmax(np.nan_to_num(table, nan=-1.0), axis=0).tolist())

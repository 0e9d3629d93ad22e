"""Pivot-promote: close neighbors of a ranking compared two by two, both orders asked; knows no judge.

In one pass down the ranking, each candidate is compared with the one before and moves up as long as it wins. Only
close candidates are compared; if nobody is promoted, n of them cost n - 1 comparisons.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReading:
    """By how much the later of two candidates is preferred; logits."""

    forward: float  # the earlier one shown first
    backward: float  # the later one shown first

    @property
    def mean(self) -> float:
        """Both orders together: a preference for the first or the second picture as such cancels out."""
        return (self.forward + self.backward) / 2

    def promotes(self, margin: float) -> bool:
        """Returns whether both orders agree that the later one fits better, by more than the margin on their mean."""
        return self.forward > 0 and self.backward > 0 and self.mean > margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One candidate put before another by comparison."""

    item: int
    before: int
    reading: PairReading


Compare = Callable[[int, int], PairReading | None]  # (earlier, later); None: could not be compared


def pivot_promote(
    order: Sequence[int],
    scores: Sequence[float],
    compare: Compare,
    *,
    window: float,
    margin: float,
    top: int,
) -> tuple[list[int], list[Promotion]]:
    """Moves candidates of a ranking up past close neighbors that they beat.

    Each inversion against the order given was decided by a comparison of these very two, in both orders.

    Args:
        order: Candidates, best first.
        scores: Their scores, as ``order``.
        compare: Compares two of them; if it returns None, nobody moves.
        window: Difference of scores up to which two are close.
        margin: Logits by which a pair must be won.
        top: First places in which pairs are compared.
    """
    ranking, promotions = list(order[:1]), []
    score_of = dict(zip(order, scores, strict=True))
    for item in order[1:top]:
        place = len(ranking)
        while place > 0 and score_of[ranking[place - 1]] - score_of[item] <= window:
            reading = compare(ranking[place - 1], item)
            if reading is None or not reading.promotes(margin):
                break
            promotions.append(Promotion(item=item, before=ranking[place - 1], reading=reading))
            place -= 1
        ranking.insert(place, item)
    return [*ranking, *order[max(1, top) :]], promotions

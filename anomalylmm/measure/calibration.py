"""Turns what people confirm and reject into the confidence from which a query's candidates are hits.

A weak band at the bottom is dropped if it is proven that most of its hits are wrong; knows no store and no clock.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

TARGET = 0.5  # share of right hits from which hits are worth a look
ALPHA = 0.1  # chance of dropping a band with just that share
MAX_RAISE = 0.5  # share of the way from the query's own threshold to 1
HALF_RAISE = 5  # rejected hits that allow half of that


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedHit:
    """One person's verdict on one hit."""

    hit_id: str
    confidence: float  # 0..1, the judge's
    confirmed: bool  # False: rejected
    given_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The confidence from which a query's candidates are hits, and why."""

    threshold: float
    accept: float  # the query's own
    num_confirmed: int  # hits at or above ``accept`` that were confirmed, each counted once
    num_rejected: int
    bound: float  # upper bound at 90 % on the share of right hits among the dropped ones; among all if none is dropped
    evidence: str  # one sentence


def calibrate(accept: float, reviewed: Iterable[ReviewedHit]) -> Calibration:
    """Finds a query's acceptance threshold from what people said of its hits.

    The threshold is just above the longest band of hits, from ``accept`` upwards, of which the exact one-sided
    binomial test says at 10 % that fewer than half are right (the upper Clopper-Pearson bound lies under one half:
    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26, 1934, p. 404). So fewer than four rejected hits change nothing. ``R`` rejected hits
    raise it at most by ``(1 - accept) / 2 * R / (R + 5)``, because a hit that is not shown can't be confirmed, and a
    query must not fall silent forever. It is never below ``accept``, because nobody has seen what lies there.

    One more confirmed hit never raises the threshold, and one more rejected hit never lowers it. Of several verdicts
    on one hit the newest counts. Hits below ``accept``, found by an earlier version of the query, do not count.
    """
    counted = sorted(
        (hit for hit in _newest(reviewed) if hit.confidence >= accept), key=lambda hit: (hit.confidence, hit.hit_id)
    )
    confirmed = sum(hit.confirmed for hit in counted)
    rejected = len(counted) - confirmed
    num_weak = _count_weak(counted)
    if not num_weak:
        return _unchanged(accept, confirmed, rejected)
    limit = accept + (1.0 - accept) * MAX_RAISE * rejected / (rejected + HALF_RAISE)
    highest = counted[num_weak - 1].confidence
    right = sum(hit.confirmed for hit in counted[:num_weak])
    bound = upper_bound(right, num_weak)
    threshold = min(math.nextafter(highest, math.inf), limit)
    evidence = (
        f"raised from {accept:.2f} to {threshold:.3f}: of the {num_weak} reviewed hits up to {highest:.3f} "
        f"{right or 'none'} {'were' if right > 1 else 'was'} confirmed, so with 90 % confidence at most {bound:.0%} of "
        f"such hits are right; in all {_count(confirmed, rejected)}"
    )
    if threshold == limit:
        evidence += f"; {rejected} rejected hits may raise it no further"
    return Calibration(
        threshold=threshold,
        accept=accept,
        num_confirmed=confirmed,
        num_rejected=rejected,
        bound=bound,
        evidence=evidence,
    )


def keep(accept: float) -> Calibration:
    """Keeps the threshold of a query that says ``calibrate = false``."""
    evidence = f"{accept:.2f}, as the query says; it is not calibrated (calibrate = false)"
    return Calibration(threshold=accept, accept=accept, num_confirmed=0, num_rejected=0, bound=1.0, evidence=evidence)


def upper_bound(right: int, number: int) -> float:
    """Returns the one-sided upper Clopper-Pearson bound at 90 % on the share of right ones, of which some were seen."""
    if right >= number:
        return 1.0
    low, high = right / number, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if chance_of_at_most(right, number, middle) > ALPHA:
            low = middle
        else:
            high = middle
    return high


def chance_of_at_most(right: int, number: int, share: float) -> float:
    """Returns the binomial P(X <= right) for a share in (0, 1), summed from the mode's side downwards."""
    if right >= number:
        return 1.0
    if right > number * share:
        return 1.0 - chance_of_at_most(number - right - 1, number, 1.0 - share)
    logs = math.lgamma(number + 1) - math.lgamma(right + 1) - math.lgamma(number - right + 1)
    term = math.exp(logs + right * math.log(share) + (number - right) * math.log1p(-share))
    total = 0.0
    for successes in range(right, -1, -1):
        total += term
        term *= successes * (1.0 - share) / ((number - successes + 1) * share)
        if term < 1e-15 * total:
            break  # below the mode the terms only shrink
    return min(total, 1.0)


def _newest(reviewed: Iterable[ReviewedHit]) -> Iterable[ReviewedHit]:
    """Keeps the newest verdict on each hit; at equal times the confirmation, whatever the order of input."""
    ordered = sorted(reviewed, key=lambda hit: (hit.given_utc, hit.confirmed))
    return {hit.hit_id: hit for hit in ordered}.values()


def _count_weak(ordered: Sequence[ReviewedHit]) -> int:
    """Counts the hits of the longest band from below that is proven to be mostly wrong; equal hits stay together."""
    confirmed = list(accumulate(hit.confirmed for hit in ordered))
    for number in range(len(ordered), 0, -1):
        right = confirmed[number - 1]
        is_cut = number == len(ordered) or ordered[number].confidence > ordered[number - 1].confidence
        if is_cut and right < TARGET * number and chance_of_at_most(right, number, TARGET) < ALPHA:
            return number
    return 0


def _unchanged(accept: float, confirmed: int, rejected: int) -> Calibration:
    number = confirmed + rejected
    if number:
        evidence = f"{accept:.2f}, the query's own: {_count(confirmed, rejected)} do not prove that weak hits are wrong"
    else:
        evidence = f"{accept:.2f}, the query's own: no hit was confirmed or rejected"
    return Calibration(
        threshold=accept,
        accept=accept,
        num_confirmed=confirmed,
        num_rejected=rejected,
        bound=upper_bound(confirmed, number),
        evidence=evidence,
    )


def _count(confirmed: int, rejected: int) -> str:
    return f"{confirmed} confirmed and {rejected} rejected"

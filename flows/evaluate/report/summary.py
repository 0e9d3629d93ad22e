"""Turns an ablation into the figures of a report: metrics, intervals, differences, cost; draws and writes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.measure.metrics import (
    Interval,
    Measures,
    TwinConfusion,
    average_precisions,
    bootstrap_mean,
    measure,
    paired_difference,
    recall_at,
    twin_confusion,
)
from flows.evaluate.ablation.ablation import Ablation
from flows.evaluate.ablation.outcomes import Outcome
from flows.evaluate.ablation.variants import COARSE, PROFILE, Variant
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a variant costs a query, as if no other variant had been asked before."""

    questions: float  # put to the judge
    asked_now: float  # of them, in this run: the rest was kept from other variants or an earlier run
    seconds: float  # coarse search and judge
    tokens: float | None = None  # none: the judge does not count them


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFigures:
    """One row of the report's table."""

    variant: Variant
    measures: Measures | None  # none: the truth is not known
    intervals: Mapping[str, Interval]  # r1, map: 95 % of the figure itself
    differences: Mapping[str, Interval]  # r1, map: from the coarse order, over the same queries
    twins: TwinConfusion | None  # none: the benchmark names no twins
    cost: Cost
    num_failed: int
    notes: Mapping[str, int]  # what could not be done as set, and for how many queries


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """The headline variant on a part of the queries."""

    name: str
    measures: Measures


def headline(variants: Sequence[Variant]) -> Variant:
    """Names the variant that the report is about: the profile's settings, else the last one chosen."""
    return next((item for item in variants if item.name == PROFILE), variants[-1])


def summarize(ablation: Ablation) -> tuple[VariantFigures, ...]:
    """Computes the figures of all variants."""
    return tuple(_summarize(ablation, variant) for variant in ablation.variants)


def _summarize(ablation: Ablation, variant: Variant) -> VariantFigures:
    benchmark, outcomes = ablation.benchmark, ablation.outcomes[variant.name]
    known = benchmark.has_truth
    values = per_query(outcomes) if known else {}
    before = per_query(ablation.outcomes[COARSE]) if known and variant.name != COARSE else {}
    return VariantFigures(
        variant=variant,
        measures=measure([outcome.ranks for outcome in outcomes]) if known else None,
        intervals={name: bootstrap_mean(found) for name, found in values.items()},
        differences={name: paired_difference(values[name], found) for name, found in before.items()},
        twins=_confuse(benchmark, outcomes) if known else None,
        cost=_cost(ablation, outcomes),
        num_failed=sum(outcome.num_failed for outcome in outcomes),
        notes=Counter(note for outcome in outcomes for note in outcome.notes),
    )


def per_query(outcomes: Sequence[Outcome]) -> dict[str, NDArray[np.float64]]:
    """Gives R@1 and AP of each of Q queries; shapes (Q,)."""
    ranks = [outcome.ranks for outcome in outcomes]
    return {"r1": recall_at(ranks, 1), "map": average_precisions(ranks)}


def _confuse(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> TwinConfusion | None:
    twins = [benchmark.twins_of(query) for query in benchmark.queries]
    if not any(twins):
        return None
    first = [outcome.first[0] for outcome in outcomes]
    return twin_confusion(first, [query.positives for query in benchmark.queries], twins)


def _cost(ablation: Ablation, outcomes: Sequence[Outcome]) -> Cost:
    number = len(outcomes)
    return Cost(
        questions=sum(outcome.num_questions for outcome in outcomes) / number,
        asked_now=sum(outcome.num_asked for outcome in outcomes) / number,
        seconds=ablation.coarse_seconds + sum(outcome.seconds for outcome in outcomes) / number,
        tokens=sum(outcome.tokens for outcome in outcomes) / number if ablation.counts_tokens else None,
    )


def summarize_groups(ablation: Ablation) -> tuple[GroupFigures, ...]:
    """Measures the headline variant on parts of the queries: normal and anomaly, seen and held-out combinations."""
    if not ablation.benchmark.has_truth:
        return ()
    outcomes = ablation.outcomes[headline(ablation.variants).name]
    groups: dict[str, list[Sequence[int]]] = {}
    for query, outcome in zip(ablation.benchmark.queries, outcomes, strict=True):
        for name in _groups_of(ablation.benchmark, query):
            groups.setdefault(name, []).append(outcome.ranks)
    return tuple(GroupFigures(name=name, measures=measure(ranks)) for name, ranks in sorted(groups.items()))


def _groups_of(benchmark: Benchmark, query: BenchmarkQuery) -> list[str]:
    extra: Mapping[str, Any] = benchmark.images[query.own].extra if query.own is not None else {}
    groups = [f"behavior: {name}" for name in ("normal", "anomaly") if extra.get(name)]
    if "held_out" in extra:
        groups.append(f"combination: {'held out' if extra['held_out'] else 'as in training'}")
    return groups

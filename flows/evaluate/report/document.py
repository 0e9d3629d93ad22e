"""The report of an evaluation as one JSON document: what was measured, with which models and settings, and how well."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.measure.metrics import (
    average_precisions,
    bootstrap_mean,
    measure,
    paired_difference,
    recall_at,
    twin_confusion,
)
from flows.composition import Composition
from flows.evaluate.ablation.ablation import Ablation, Outcome
from flows.evaluate.ablation.variants import COARSE, PROFILE, Variant
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery
from flows.evaluate.report.failures import CATEGORIES, Failure

LISTED_FAILURES = 200
ONE_PICTURE = (
    "each candidate of this benchmark is a single picture, so the number of frames can't be varied; +focus shows the "
    "effect of a second view"
)
BY_LEXICON = "the categories are estimated by comparing the lexicon's words in the captions"


def headline(variants: Sequence[Variant]) -> str:
    """Name of the variant that the report is about: the profile's settings, or the last one chosen."""
    return next((item.name for item in variants if item.name == PROFILE), variants[-1].name)


def list_words(composition: Composition, benchmark: Benchmark) -> list[str]:
    """Lists the words that must qualify every figure: rendered pictures, pocket models."""
    settings = composition.settings
    parts = (settings.encoder, settings.judge)
    is_pocket = settings.profile == "pocket" or any(part.weights.startswith("pocket/") for part in parts)
    return [word for word, applies in (("rendered", benchmark.is_rendered), ("pocket", is_pocket)) if applies]


def build_document(
    composition: Composition, ablation: Ablation, failures: Sequence[Failure], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Builds the report as plain values; ``facts`` are the request and the time of the run."""
    benchmark, is_test = ablation.benchmark, ablation.benchmark.split == "test"
    rows = summarize(ablation)
    num_failed = sum(row["num_judgements_failed"] for row in rows)
    is_judged = any(variant.settings for variant in ablation.variants)
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "words": list_words(composition, benchmark),
        "state": "Degraded" if num_failed else "Completed",
        "num_queries": len(benchmark.queries),
        "num_images": len(benchmark.images),
        "profile": composition.settings.profile,
        "settings_digest": hashlib.sha256(composition.settings.model_dump_json().encode()).hexdigest()[:16],
        "tuning": _describe_tuning(is_test),
        "models": {
            "dual_encoder": composition.encoder.model_id,
            "judge": composition.judge.judge_id if is_judged else "not asked",
        },
        **facts,
        "headline": headline(ablation.variants),
        "best": None if is_test else _find_best(rows),
        "variants": rows,
        "groups": _measure_groups(ablation),
        "frames": ONE_PICTURE,
        "failures": _describe_failures(benchmark, failures) if benchmark.has_truth else None,
        "num_judgements_failed": num_failed,
    }


def _describe_tuning(is_test: bool) -> str:
    fixed = "the settings come from the profile and the settings file and were fixed before this run; nothing was tuned"
    if is_test:
        return f"{fixed}, and no variant is called the best on a test split"
    return f"{fixed}; this is not the test split, so settings may be chosen by this table"


def _find_best(rows: Sequence[Mapping[str, Any]]) -> str | None:
    measured = [row for row in rows if row["measures"]]
    return max(measured, key=lambda row: float(row["measures"]["map"]))["name"] if measured else None


def summarize(ablation: Ablation) -> list[dict[str, Any]]:
    """Computes the figures of each variant: measures, intervals, differences from the coarse order, cost."""
    return [_summarize(ablation, variant) for variant in ablation.variants]


def _summarize(ablation: Ablation, variant: Variant) -> dict[str, Any]:
    outcomes, has_truth = ablation.outcomes[variant.name], ablation.benchmark.has_truth
    values = _measure_each(outcomes) if has_truth else {}
    before = _measure_each(ablation.outcomes[COARSE]) if has_truth and variant.name != COARSE else {}
    return {
        **asdict(variant),
        "measures": asdict(measure([outcome.ranks for outcome in outcomes])) if has_truth else None,
        "intervals": {name: asdict(bootstrap_mean(found)) for name, found in values.items()},
        "difference_from_coarse": {
            name: asdict(paired_difference(values[name], found)) for name, found in before.items()
        },
        "twin_confusion": _count_twins(ablation.benchmark, outcomes) if has_truth else None,
        "cost": _average_cost(ablation, outcomes),
        "num_judgements_failed": sum(outcome.num_failed for outcome in outcomes),
        "troubles": dict(Counter(note for outcome in outcomes for note in outcome.notes)),
    }


def _measure_each(outcomes: Sequence[Outcome]) -> dict[str, NDArray[np.float64]]:
    """Computes R@1 and AP of each of Q queries; shapes (Q,)."""
    ranks = [outcome.ranks for outcome in outcomes]
    return {"r1": recall_at(ranks, 1), "map": average_precisions(ranks)}


def _count_twins(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    twins = [benchmark.twins_of(query) for query in benchmark.queries]
    if not any(twins):
        return None
    first = [outcome.first[0] for outcome in outcomes]
    found = twin_confusion(first, [query.positives for query in benchmark.queries], twins)
    return {**asdict(found), "share": found.share}


def _average_cost(ablation: Ablation, outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Averages the cost per query, as if no other variant had been asked before; tokens are None if not counted."""
    number = len(outcomes)
    return {
        "questions": sum(outcome.num_questions for outcome in outcomes) / number,
        "asked_now": sum(outcome.num_asked for outcome in outcomes) / number,  # the others were cached
        "seconds": ablation.coarse_seconds + sum(outcome.seconds for outcome in outcomes) / number,
        "tokens": sum(outcome.tokens for outcome in outcomes) / number if ablation.counts_tokens else None,
    }


def _measure_groups(ablation: Ablation) -> dict[str, dict[str, Any]]:
    """Measures the headline variant on parts of the queries: normal and anomaly, seen and held-out combinations."""
    benchmark, groups = ablation.benchmark, dict[str, list[Sequence[int]]]()
    outcomes = ablation.outcomes[headline(ablation.variants)] if benchmark.has_truth else ()
    for query, outcome in zip(benchmark.queries if outcomes else (), outcomes, strict=True):
        for name in _groups_of(benchmark, query):
            groups.setdefault(name, []).append(outcome.ranks)
    return {name: asdict(measure(ranks)) for name, ranks in sorted(groups.items())}


def _groups_of(benchmark: Benchmark, query: BenchmarkQuery) -> list[str]:
    extra: Mapping[str, Any] = benchmark.images[query.own].extra if query.own is not None else {}
    groups = [f"behavior: {name}" for name in ("normal", "anomaly") if extra.get(name)]
    if "held_out" in extra:
        groups.append(f"combination: {'held out' if extra['held_out'] else 'as in training'}")
    return groups


def _describe_failures(benchmark: Benchmark, failures: Sequence[Failure]) -> dict[str, Any]:
    counts = Counter(failure.category for failure in failures)
    return {
        "total": len(failures),
        "note": BY_LEXICON,
        "by_category": {category: counts[category] for category in CATEGORIES},
        "worst": [
            {
                "query": failure.query.query_id,
                "text": failure.query.text,
                "where": failure.query.where.rpartition(", ")[2],
                "category": failure.category,
                "own": benchmark.images[failure.own].name,
                "first": benchmark.images[failure.first].name,
                "rank": failure.rank + 1,
            }
            for failure in failures[:LISTED_FAILURES]
        ],
    }

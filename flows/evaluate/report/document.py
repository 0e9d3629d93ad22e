"""The report of an evaluation as one JSON document: what was measured, with which models and settings, and how well."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flows.composition import Composition
from flows.evaluate.ablation.ablation import Ablation
from flows.evaluate.report.failures import CATEGORIES, Failure
from flows.evaluate.report.summary import GroupFigures, VariantFigures, headline

LISTED_FAILURES = 200
ONE_PICTURE = (
    "every candidate of this benchmark is one picture, so the number of frames can't be varied; what a second view "
    "brings is seen where the focus crop is switched on (cloze, +saliency)"
)
BY_LEXICON = "categories are an estimate: captions are compared by the lexicon's words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the settings and the pictures come from."""

    settings_file: str  # its name, empty for none
    captions: str
    limit: int | None
    seconds: float
    started_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All figures of an evaluation."""

    figures: tuple[VariantFigures, ...]
    groups: tuple[GroupFigures, ...]
    failures: tuple[Failure, ...]


def digest_settings(composition: Composition) -> str:
    """Digests all settings of a run."""
    return hashlib.sha256(composition.settings.model_dump_json().encode()).hexdigest()[:16]


def list_words(composition: Composition, ablation: Ablation) -> tuple[str, ...]:
    """Names what must be said beside every figure: rendered pictures, pocket models."""
    settings = composition.settings
    is_pocket = any(part.weights.startswith("pocket/") for part in (settings.encoder, settings.judge))
    rendered = ("rendered",) if ablation.benchmark.is_rendered else ()
    return (*rendered, *(("pocket",) if is_pocket or settings.profile == "pocket" else ()))


def write_document(
    composition: Composition, ablation: Ablation, findings: Findings, provenance: Provenance
) -> dict[str, Any]:
    """Writes the report as plain values."""
    benchmark, main = ablation.benchmark, headline(ablation.variants)
    num_failed = sum(row.num_failed for row in findings.figures)
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "words": list_words(composition, ablation),
        "state": "Degraded" if num_failed else "Completed",
        "num_queries": len(benchmark.queries),
        "num_images": len(benchmark.images),
        "profile": composition.settings.profile,
        "settings_digest": digest_settings(composition),
        "tuning": _write_tuning(benchmark.split),
        "models": _name_models(composition, ablation),
        **asdict(provenance),
        "headline": main.name,
        "best": _best(findings.figures) if benchmark.split != "test" else None,
        "variants": [_write_row(row) for row in findings.figures],
        "groups": {group.name: asdict(group.measures) for group in findings.groups},
        "frames": ONE_PICTURE,
        "failures": _write_failures(ablation, findings.failures) if benchmark.has_truth else None,
        "num_judgements_failed": num_failed,
        "num_queries_resumed": ablation.num_resumed,
    }


def _write_tuning(split: str) -> str:
    fixed = "the settings are those of the profile and settings file, fixed before this run; nothing was tuned by it"
    if split == "test":
        return f"{fixed}, and on a test split no variant is called the best"
    return f"{fixed}; this is not the test split, so settings may be chosen by this table"


def _name_models(composition: Composition, ablation: Ablation) -> dict[str, str]:
    judged = any(variant.settings for variant in ablation.variants)
    return {
        "dual_encoder": composition.encoder.model_id,
        "judge": composition.judge.judge_id if judged else "not asked",
    }


def _best(figures: Sequence[VariantFigures]) -> str | None:
    rows = [(row.measures.map, -place, row.variant.name) for place, row in enumerate(figures) if row.measures]
    return max(rows)[2] if rows else None


def _write_row(row: VariantFigures) -> dict[str, Any]:
    return {
        **row.variant.describe(),
        "measures": asdict(row.measures) if row.measures else None,
        "intervals": {name: asdict(interval) for name, interval in row.intervals.items()},
        "difference_from_coarse": {name: asdict(interval) for name, interval in row.differences.items()},
        "twin_confusion": {**asdict(row.twins), "share": row.twins.share} if row.twins else None,
        "cost": asdict(row.cost),
        "num_judgements_failed": row.num_failed,
        "troubles": dict(row.notes),
    }


def _write_failures(ablation: Ablation, failures: Sequence[Failure]) -> dict[str, Any]:
    counts = Counter(failure.category for failure in failures)
    images = ablation.benchmark.images
    return {
        "total": len(failures),
        "note": BY_LEXICON,
        "by_category": {category: counts.get(category, 0) for category in CATEGORIES},
        "worst": [
            {
                "query": failure.query.query_id,
                "text": failure.query.text,
                "where": failure.query.where.rpartition(", ")[2],
                "category": failure.category,
                "own": images[failure.own].name,
                "first": images[failure.first].name,
                "rank": failure.rank + 1,
            }
            for failure in failures[:LISTED_FAILURES]
        ],
    }

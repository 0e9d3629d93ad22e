"""The queries whose first picture is wrong, sorted by what is wrong with it; an estimate from captions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from anomalylmm.query.lexicon import Lexicon
from flows.evaluate.ablation.ablation import Outcome
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage

Category = Literal["wrong person", "wrong behavior", "unlabeled positive", "not known"]
CATEGORIES: tuple[Category, ...] = get_args(Category)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query whose first-ranked picture is not one of its positives."""

    query: BenchmarkQuery
    own: int  # position of a positive
    first: int  # position of the first-ranked picture
    rank: int  # 0-based, of the best positive
    category: Category


def list_failures(benchmark: Benchmark, outcomes: Sequence[Outcome], lexicon: Lexicon) -> list[Failure]:
    """Lists the failures, worst first: by the rank of the best positive, then in the benchmark's order."""
    found = [
        Failure(
            query=query,
            own=query.own if query.own in query.positives and query.own is not None else query.positives[0],
            first=outcome.first[0],
            rank=min(outcome.ranks),
            category=categorize(benchmark, query, outcome.first[0], lexicon),
        )
        for query, outcome in zip(benchmark.queries, outcomes, strict=True)
        if query.positives and outcome.first[0] not in query.positives
    ]
    return sorted(found, key=lambda failure: -failure.rank)


def categorize(benchmark: Benchmark, query: BenchmarkQuery, first: int, lexicon: Lexicon) -> Category:
    """Says what is wrong with a picture that was ranked first.

    A twin shows the same person doing something else, so its behavior is wrong. For other pictures the lexicon
    compares the captions with the query. Different looks: another person. The same looks and the same behavior: the
    benchmark lacks a label. Only the same looks: the behavior is wrong.
    """
    if first in benchmark.twins_of(query):
        return "wrong behavior"
    image = benchmark.images[first]
    if not image.captions:
        return "not known"
    if not _looks(lexicon, [query.text]) <= _looks(lexicon, image.captions):
        return "wrong person"
    return "unlabeled positive" if _is_same_behavior(benchmark, query, image, lexicon) else "wrong behavior"


def _is_same_behavior(benchmark: Benchmark, query: BenchmarkQuery, image: GalleryImage, lexicon: Lexicon) -> bool:
    """Compares the benchmark's own labels if both rows have one, and else the words of the captions."""
    own = benchmark.images[query.own].extra.get("behavior") if query.own is not None else None
    if own is not None and "behavior" in image.extra:
        return bool(own == image.extra["behavior"])
    asked, seen = _behaviors(lexicon, [query.text]), _behaviors(lexicon, image.captions)
    return bool(asked) and asked <= seen


def _behaviors(lexicon: Lexicon, texts: Iterable[str]) -> set[str]:
    return {slot.word for text in texts for slot in lexicon.find_words(text, ("action",))}


def _looks(lexicon: Lexicon, texts: Iterable[str]) -> set[tuple[str, str]]:
    """Finds colors with the garment after them ("red", "jacket"); the garment is empty if none follows."""
    return {
        (slot.word, after.word if after is not None and after.kind == "garment" else "")
        for text in texts
        for slot, after in pairwise([*lexicon.find_words(text, ("color", "garment")), None])
        if slot is not None and slot.kind == "color"
    }

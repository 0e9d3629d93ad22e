"""The queries that went wrong, told apart by what is wrong with the first-ranked picture; an estimate from captions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import SlotKind
from flows.evaluate.ablation.outcomes import Outcome
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage

Category = Literal["wrong person", "wrong behavior", "unlabeled positive", "not known"]
CATEGORIES: tuple[Category, ...] = ("wrong person", "wrong behavior", "unlabeled positive", "not known")
_LOOKS: tuple[SlotKind, ...] = ("color", "garment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query whose first-ranked picture is none of its positives."""

    query: BenchmarkQuery
    own: int  # place of a positive
    first: int  # place of the first-ranked picture
    rank: int  # 0-based, of the best positive
    category: Category


def list_failures(benchmark: Benchmark, outcomes: Sequence[Outcome], lexicon: Lexicon) -> tuple[Failure, ...]:
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
    return tuple(sorted(found, key=lambda failure: -failure.rank))


def categorize(benchmark: Benchmark, query: BenchmarkQuery, first: int, lexicon: Lexicon) -> Category:
    """Tells what is wrong with a picture that was ranked first.

    The twin is the same person doing something else: wrong behavior. Else the picture's own captions are compared
    with the query by the lexicon: same looks and same behavior means that the benchmark lacks a label, same looks
    only is a wrong behavior, other looks are another person.
    """
    if first in benchmark.twins_of(query):
        return "wrong behavior"
    image = benchmark.images[first]
    if not image.captions:
        return "not known"
    if not _looks(lexicon, [query.text]) <= _looks(lexicon, image.captions):
        return "wrong person"
    return "unlabeled positive" if _same_behavior(benchmark, query, image, lexicon) else "wrong behavior"


def _same_behavior(benchmark: Benchmark, query: BenchmarkQuery, image: GalleryImage, lexicon: Lexicon) -> bool:
    """Compares by the benchmark's own label where both rows have one, else by the captions' words."""
    own = benchmark.images[query.own].extra.get("behavior") if query.own is not None else None
    if own is not None and "behavior" in image.extra:
        return bool(own == image.extra["behavior"])
    asked, seen = _behaviors(lexicon, [query.text]), _behaviors(lexicon, image.captions)
    return bool(asked) and asked <= seen


def _behaviors(lexicon: Lexicon, texts: Iterable[str]) -> frozenset[str]:
    return frozenset(slot.word for text in texts for slot in lexicon.find_words(text, ("action",)))


def _looks(lexicon: Lexicon, texts: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Finds colors with the garment after them ("red", "jacket"); a color alone has an empty garment."""
    found: set[tuple[str, str]] = set()
    for text in texts:
        slots = [*lexicon.find_words(text, _LOOKS), None]
        for slot, after in pairwise(slots):
            if slot is not None and slot.kind == "color":
                found.add((slot.word, after.word if after is not None and after.kind == "garment" else ""))
    return frozenset(found)


def choose_for_sheet(failures: Sequence[Failure], each: int) -> tuple[Failure, ...]:
    """Chooses the worst few of each category, category by category."""
    return tuple(
        failure
        for category in CATEGORIES
        for failure in [item for item in failures if item.category == category][:each]
    )

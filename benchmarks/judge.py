"""What judging costs, with and without each saving: python -m benchmarks.judge STORE --out judge.json.

The same candidates of the saved queries are judged again and again, first as plainly as can be: every answer read
behind its own question. Rows and tokens are counted where the model is entered.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from anomalylmm.records import Candidate, Query
from anomalylmm.rerank.gate import CoarseHint
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from flows.composition import Composition
from flows.settings.model import load_settings
from flows.sweep.coarse_search import build_hints, encode_views, find_candidates, load_images, mean_views, scope_of
from flows.sweep.query_file import default_query_file, read_queries
from flows.sweep.sweeping import open_gallery
from storage.disk.layout import StoreLayout

COLUMNS = ("way", "questions", "sequences", "tokens", "seconds", "sequences saved", "seconds saved", "same first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to judge: what of the savings it has."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    shares: bool = True  # the question's reading, between its answers
    remembers: bool = False


WAYS = (
    Way(name="every answer behind its own question", shares=False),
    Way(name="+ the question read once for all answers"),
    Way(name="+ near-identical pictures judged once", settings={"same_cosine": 0.98}),
    Way(name="+ gate", settings={"same_cosine": 0.98, "gate": True}),
    Way(name="all but the gate, asked again", settings={"same_cosine": 0.98}, remembers=True),
)


@dataclass(slots=True, kw_only=True)
class Meter:
    """What went through the model."""

    rows: int = 0
    tokens: int = 0

    def __call__(self, _: Any, __: Any, given: Mapping[str, Any]) -> None:
        """Counts one forward pass."""
        rows, length = given["input_ids"].shape
        self.rows += rows
        self.tokens += rows * length


@dataclass(slots=True, kw_only=True)
class Cost:
    """What one way cost, a query."""

    questions: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    firsts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One query, its candidates with pictures and what the coarse search knows of them."""

    query: Query
    candidates: Sequence[Candidate]
    hints: Mapping[str, CoarseHint]


class Memory(dict[str, Mapping[str, object]]):
    """A judgement cache for one run."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Gives what is known."""
        return {key: self[key] for key in keys if key in self}

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keeps answers."""
        self.update(rows)


def measure(composition: Composition, layout: StoreLayout, queries: Sequence[Query], runs: int) -> dict[str, Cost]:
    """Judges every query in every way, `runs` times each, the ways in turn."""
    cases = list(_iter_cases(composition, layout, queries))
    costs = {way.name: Cost() for way in WAYS}
    memory = Memory()
    for case in cases:  # fills the memory, and warms what is slow the first time
        _adjudicate(composition, WAYS[-1], case, memory)
    for case in cases:
        for way in WAYS:
            spent = [_judge_once(composition, way, case, memory if way.remembers else None) for _ in range(runs)]
            _add(costs[way.name], spent)
    return costs


def _iter_cases(composition: Composition, layout: StoreLayout, queries: Sequence[Query]) -> Iterator[Case]:
    gallery = open_gallery(composition, layout)
    views = encode_views(composition.encoder, composition.lexicon, queries)
    found = find_candidates(gallery, mean_views(views), queries, [scope_of(query) for query in queries], 0.0)
    for query, candidates, own in zip(queries, found, views, strict=True):
        loaded, best = load_images(gallery, candidates, has_poses=composition.bodies is not None)
        if loaded:
            yield Case(query=query, candidates=loaded, hints=build_hints(own, best))


def _judge_once(
    composition: Composition, way: Way, case: Case, memory: Memory | None
) -> tuple[Meter, float, Adjudication]:
    judge: Any = composition.judge
    with _metered(judge, shares=way.shares) as meter:
        began = time.perf_counter()
        result = _adjudicate(composition, way, case, memory)
        return meter, time.perf_counter() - began, result


def _adjudicate(composition: Composition, way: Way, case: Case, memory: Memory | None) -> Adjudication:
    settings: RerankSettings = replace(composition.adjudicator.settings, **way.settings)
    adjudicator = Adjudicator(composition.judge, composition.lexicon, settings, composition.adjudicator.mapper)
    return adjudicator.adjudicate(case.query, case.candidates, cache=memory, hints=case.hints)


@contextmanager
def _metered(judge: Any, *, shares: bool) -> Iterator[Meter]:
    meter, scorer = Meter(), judge._scorer  # the count is of what the model reads, wherever from
    hook = judge._model.register_forward_pre_hook(meter, with_kwargs=True)
    scorer.uses_cache = shares
    try:
        yield meter
    finally:
        hook.remove()
        scorer.uses_cache = True


def _add(cost: Cost, spent: Sequence[tuple[Meter, float, Adjudication]]) -> None:
    meter, _, result = spent[0]
    cost.questions.append(result.num_calls)
    cost.rows.append(meter.rows)
    cost.tokens.append(meter.tokens)
    cost.seconds.append(statistics.median(seconds for _, seconds, _ in spent))
    cost.firsts.append(result.ranked[0].candidate.tracklet_id)


def tabulate(costs: Mapping[str, Cost]) -> list[tuple[object, ...]]:
    """Gives the rows of the table, means a query; all is compared with the first way."""
    plain = costs[WAYS[0].name]
    return [
        (
            name,
            *(round(statistics.mean(numbers), 2) for numbers in (cost.questions, cost.rows, cost.tokens)),
            round(statistics.mean(cost.seconds), 3),
            _ratio(sum(plain.rows), sum(cost.rows)),
            _ratio(sum(plain.seconds), sum(cost.seconds)),
            f"{sum(map(str.__eq__, cost.firsts, plain.firsts))} of {len(plain.firsts)}",
        )
        for name, cost in costs.items()
    ]


def _ratio(plain: float, now: float) -> str:
    return f"{plain / now:.1f}x" if now else "all"


def main() -> None:
    """Measures and prints a Markdown table; writes the numbers of each query as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("store", type=Path, help="an indexed store, such as scripts/demo leaves")
    parser.add_argument("--queries", type=Path, default=default_query_file(), help="saved queries (default: shipped)")
    parser.add_argument("--runs", type=int, default=1, help="of each way and query; seconds are medians (default 1)")
    parser.add_argument("--settings", type=Path, help="TOML file of your own that overrides the profile")
    parser.add_argument("--out", type=Path, default=Path("judge.json"))
    options = parser.parse_args()
    composition = Composition(load_settings("pocket", options.settings))
    queries = [query for query in read_queries(options.queries, composition.lexicon) if query.enabled]
    costs = measure(composition, StoreLayout(options.store), queries, options.runs)
    options.out.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1), encoding="utf-8")
    lines = [COLUMNS, ("---",) * len(COLUMNS), *tabulate(costs)]
    print("\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines))


if __name__ == "__main__":
    main()

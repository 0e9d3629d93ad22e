"""What judging costs, with and without each saving: python -m benchmarks.judge STORE --out judge.json.

The same candidates of the saved queries are judged again and again, first as plainly as can be: by torch, every answer
read behind its own question. Sequences and tokens are counted where the language model is entered.
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

COLUMNS = ("way", "questions", "sequences", "tokens", "CPU s", "CPU saved", "same first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to judge: what of the savings it has."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    runtime: str = "onnxruntime"
    shares: bool = True  # the question's reading, between its answers
    remembers: bool = False


WAYS = (
    Way(name="torch, every answer behind its own question", runtime="torch", shares=False),
    Way(name="torch, the question read once for all answers", runtime="torch"),
    Way(name="ONNX Runtime, the picture read once for all queries"),
    Way(name="+ near-identical pictures judged once", settings={"same_cosine": 0.98}),
    Way(name="+ gate", settings={"same_cosine": 0.98, "gate": True}),
    Way(name="all but the gate, asked again", settings={"same_cosine": 0.98}, remembers=True),
)


@dataclass(slots=True, kw_only=True)
class Meter:
    """What went through the language model."""

    rows: int = 0
    tokens: int = 0

    def count(self, shape: tuple[int, ...]) -> None:
        """Counts one forward pass of rows of some length."""
        self.rows += shape[0]
        self.tokens += shape[0] * shape[1]


@dataclass(slots=True, kw_only=True)
class Cost:
    """What one way cost, a query."""

    questions: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of the processor
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


def measure(settings: Path | None, layout: StoreLayout, queries: Sequence[Query], runs: int) -> dict[str, Cost]:
    """Judges all queries in every way, ``runs`` times, the ways in turn, each time by a judge that knows nothing."""
    spent: dict[str, list[list[tuple[Meter, float, Adjudication]]]] = {way.name: [] for way in WAYS}
    cases = list(_iter_cases(Composition(load_settings("pocket", settings)), layout, queries))
    for _ in range(runs):
        for way in WAYS:
            composition = Composition(load_settings("pocket", settings, judge={"runtime": way.runtime}))
            memory = Memory() if way.remembers else None
            _adjudicate(composition, way, cases[0], None)  # what is slow the first time
            for case in cases if way.remembers else ():
                _adjudicate(composition, way, case, memory)
            composition.forget_pictures()
            spent[way.name].append([_judge_once(composition, way, case, memory) for case in cases])
    return {name: _sum_up(rounds) for name, rounds in spent.items()}


def _iter_cases(composition: Composition, layout: StoreLayout, queries: Sequence[Query]) -> Iterator[Case]:
    gallery = open_gallery(composition, layout)
    views = encode_views(composition.encoder, composition.lexicon, queries)
    found = find_candidates(gallery, mean_views(views), queries, [scope_of(query) for query in queries], 0.0)
    for query, candidates, own in zip(queries, found, views, strict=True):
        loaded, best = load_images(gallery, candidates, has_poses=composition.has_poses)
        if loaded:
            yield Case(query=query, candidates=loaded, hints=build_hints(own, best))


def _judge_once(
    composition: Composition, way: Way, case: Case, memory: Memory | None
) -> tuple[Meter, float, Adjudication]:
    with _metered(composition.judge, shares=way.shares) as meter:
        began = time.process_time()
        result = _adjudicate(composition, way, case, memory)
        return meter, time.process_time() - began, result


def _adjudicate(composition: Composition, way: Way, case: Case, memory: Memory | None) -> Adjudication:
    settings: RerankSettings = replace(composition.adjudicator.settings, **way.settings)
    adjudicator = Adjudicator(composition.judge, composition.lexicon, settings, composition.adjudicator.mapper)
    return adjudicator.adjudicate(case.query, case.candidates, cache=memory, hints=case.hints)


@contextmanager
def _metered(judge: Any, *, shares: bool) -> Iterator[Meter]:
    meter, model = Meter(), judge._model  # the count is of what the model reads, wherever from
    if hasattr(model, "look"):
        language = model._language

        class Counted:
            side = language.side

            def __call__(self, **given: Any) -> Any:
                meter.count(given["seen"].shape)
                return language(**given)

        model._language = Counted()
        try:
            yield meter
        finally:
            model._language = language
        return
    hook = model.register_forward_pre_hook(lambda _, __, given: meter.count(given["input_ids"].shape), with_kwargs=True)
    judge._scorer.uses_cache = shares
    try:
        yield meter
    finally:
        hook.remove()


def _sum_up(rounds: Sequence[Sequence[tuple[Meter, float, Adjudication]]]) -> Cost:
    """The cost of one way: counts of its first round, medians of the seconds of all."""
    cost = Cost()
    for spent in zip(*rounds, strict=True):
        meter, _, result = spent[0]
        cost.questions.append(result.num_calls)
        cost.rows.append(meter.rows)
        cost.tokens.append(meter.tokens)
        cost.seconds.append(statistics.median(seconds for _, seconds, _ in spent))
        cost.firsts.append(result.ranked[0].candidate.tracklet_id)
    return cost


def tabulate(costs: Mapping[str, Cost]) -> list[tuple[object, ...]]:
    """Gives the rows of the table, means a query; all is compared with the first way."""
    plain = costs[WAYS[0].name]
    return [
        (
            name,
            *(round(statistics.mean(numbers), 2) for numbers in (cost.questions, cost.rows, cost.tokens)),
            round(statistics.mean(cost.seconds), 3),
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
    costs = measure(options.settings, StoreLayout(options.store), queries, options.runs)
    options.out.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1), encoding="utf-8")
    lines = [COLUMNS, ("---",) * len(COLUMNS), *tabulate(costs)]
    print("\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines))


if __name__ == "__main__":
    main()

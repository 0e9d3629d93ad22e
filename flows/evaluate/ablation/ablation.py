"""Runs all variants on a benchmark's queries. Vectors and answers are stored at once, so that no work is done twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalylmm.errors import JudgeError
from anomalylmm.query.judged_masks import JudgeMasker
from anomalylmm.query.masking import DEFAULT_KINDS, mask_query
from anomalylmm.records import Candidate, Query, Verdict
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from flows.composition import Composition
from flows.evaluate.ablation.costs import AnswerCache, OneQueryMapper, Spent, TimedJudge
from flows.evaluate.ablation.ranking import CoarseList, CoarseSearch, new_ranks
from flows.evaluate.ablation.variants import Variant
from flows.evaluate.benchmark.records import Benchmark
from flows.runs.progress import Listener

KEPT_PLACES = 10  # of the final order, for answers and failure sheets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one query under one variant."""

    ranks: tuple[int, ...]  # 0-based, of the positives
    first: tuple[int, ...]  # positions of the best pictures, best first
    num_questions: int = 0  # that the judge would be asked without any cache
    num_asked: int = 0  # that it was asked in this run
    num_judged: int = 0  # candidates
    num_failed: int = 0  # candidates without a usable answer of the judge
    seconds: float = 0.0  # of the judge and the focus crops; cached answers count with their first cost
    tokens: float = 0.0  # that the judge read and wrote, counted likewise
    notes: tuple[str, ...] = ()  # settings that could not be applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The outcomes of all queries under each variant."""

    benchmark: Benchmark
    variants: tuple[Variant, ...]
    outcomes: Mapping[str, tuple[Outcome, ...]] = field(repr=False)  # by variant name, one per query
    coarse_seconds: float  # per query, for encoding texts and scoring
    counts_tokens: bool  # whether the judge counts the tokens that it reads and writes


def run_ablation(
    composition: Composition, benchmark: Benchmark, variants: Sequence[Variant], folder: Path, listener: Listener
) -> Ablation:
    """Runs the variants; vectors and answers of an earlier run, even an interrupted one, are read from the folder.

    Raises:
        ArchiveError: A picture can't be read.
        JudgeError: The judge answers nothing at all.
        StoreError: The folder can't be written, or its files are damaged.
    """
    return _Runner(composition, benchmark, variants, folder, listener).run()


class _Runner:
    """Holds what is the same for all queries."""

    def __init__(
        self,
        composition: Composition,
        benchmark: Benchmark,
        variants: Sequence[Variant],
        folder: Path,
        listener: Listener,
    ) -> None:
        self._composition, self._benchmark, self._variants = composition, benchmark, tuple(variants)
        self._folder, self._listener = folder, listener
        self._mapper = OneQueryMapper(composition.mapper)
        self._is_judged = any(item.settings for item in variants)
        self._judge = TimedJudge(composition.judge) if self._is_judged else None
        self._search = CoarseSearch(composition, benchmark, folder / "vectors", listener)

    def run(self) -> Ablation:
        """Ranks and judges query by query."""
        benchmark, listener = self._benchmark, self._listener
        queries = [self._build_query(number, self._variants[0]) for number in range(len(benchmark.queries))]
        depth = max([KEPT_PLACES, *(item.settings.top_n for item in self._variants if item.settings)])
        listener.start("judge", len(queries))
        done: list[Mapping[str, Outcome]] = []
        take_spent = self._judge.take_spent if self._judge else Spent
        with AnswerCache(self._folder / "answers.sqlite", take_spent) as answers:
            for number, coarse in enumerate(self._search.iter_lists(queries, depth)):
                done.append(self._run_query(number, coarse, answers))
                listener.advance("judge", 1, coarse.query.text)
        return Ablation(
            benchmark=benchmark,
            variants=self._variants,
            outcomes={item.name: tuple(outcomes[item.name] for outcomes in done) for item in self._variants},
            coarse_seconds=self._search.seconds / max(1, len(done)),
            counts_tokens=self._judge is not None and self._judge.counts_tokens,
        )

    def _run_query(self, number: int, coarse: CoarseList, answers: AnswerCache) -> dict[str, Outcome]:
        self._mapper.forget()
        candidates = self._search.build_candidates(coarse) if self._is_judged else []
        by_key: dict[Any, Outcome] = {}
        for variant in self._variants:
            if variant.key not in by_key:
                by_key[variant.key] = self._run_variant(number, coarse, candidates, variant, answers)
        return {variant.name: by_key[variant.key] for variant in self._variants}

    def _run_variant(
        self, number: int, coarse: CoarseList, candidates: Sequence[Candidate], variant: Variant, answers: AnswerCache
    ) -> Outcome:
        if variant.settings is None or self._judge is None:
            return Outcome(ranks=coarse.ranks, first=coarse.places[:KEPT_PLACES])
        lexicon, encoder = self._composition.lexicon, self._composition.encoder
        adjudicator = Adjudicator(self._judge, lexicon, variant.settings, mapper=self._mapper, encoder=encoder)
        query = self._build_query(number, variant, answers)
        result = adjudicator.adjudicate(query, candidates, cache=answers, hints=coarse.hints)
        return _read_outcome(coarse, result, answers.take_spent() + Spent(seconds=self._mapper.take_seconds()))

    def _build_query(self, number: int, variant: Variant, answers: AnswerCache | None = None) -> Query:
        """Masks the words of the variant's kinds in a query, or those that the judge names if the settings say so."""
        query, lexicon = self._benchmark.queries[number], self._composition.lexicon
        by_judge = variant.settings is not None and variant.settings.masking == "judge"
        if by_judge and self._judge and variant.kinds == DEFAULT_KINDS:
            cloze = JudgeMasker(self._judge, lexicon, answers).mask(query.text).cloze
        else:
            cloze = mask_query(query.text, lexicon, variant.kinds)
        return Query(name=query.query_id, text=query.text, cloze=cloze, version=query.query_id)


def _read_outcome(coarse: CoarseList, result: Adjudication, spent: Spent) -> Outcome:
    places = [int(ranked.candidate.tracklet_id) for ranked in result.ranked]
    verdicts = [ranked.verdict for ranked in result.ranked if ranked.verdict is not None]
    num_questions = result.num_calls + result.num_cached
    return Outcome(
        ranks=new_ranks(coarse, places),
        first=tuple(places[:KEPT_PLACES]),
        num_questions=num_questions,
        num_asked=result.num_calls,
        num_judged=len(verdicts),
        num_failed=sum(map(_has_failed, verdicts)) if num_questions else 0,
        seconds=spent.seconds,
        tokens=spent.tokens,
        notes=result.notes,
    )


def _has_failed(verdict: Verdict) -> bool:
    return verdict.num_calls == 0 and "not judged: " in verdict.reason


def check_judge(ablation: Ablation) -> None:
    """Checks that the judge gave at least one answer.

    Raises:
        JudgeError: It failed on every candidate of every query.
    """
    outcomes = [item for found in ablation.outcomes.values() for item in found if item.num_judged]
    if outcomes and all(item.num_failed == item.num_judged for item in outcomes):
        raise JudgeError(
            f"the judge gave no answer for any of {sum(item.num_failed for item in outcomes)} candidates; "
            "see `anomalylmm models` and `anomalylmm doctor`"
        )

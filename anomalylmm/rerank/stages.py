"""Runs the three stages of the method on candidates with a judge; knows no model and no store."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomalylmm.protocols import Judge, PatchTextMapper, TextEncoder
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import leave_out_negated
from anomalylmm.query.negation import find_absent
from anomalylmm.records import Candidate, Query, RankedCandidate, Slot, Verdict
from anomalylmm.rerank.asking import Asker
from anomalylmm.rerank.evidence import JudgementCache, Look, Questions, join_moments
from anomalylmm.rerank.gate import Hints, JudgingPlan, plan_judging, weave
from anomalylmm.rerank.interview import Begin
from anomalylmm.rerank.looks import cut_focus_crops, iter_looks, names_a_side, split_moment, split_views
from anomalylmm.rerank.order import find_orders
from anomalylmm.rerank.pairs import PairReading, pivot_promote
from anomalylmm.rerank.prompts import (
    layout_answers,
    read_reason,
    write_affirm_prompt,
    write_cloze_prompt,
    write_facet_prompt,
    write_pair_prompt,
    write_reason_prompt,
)
from anomalylmm.rerank.score import DEFAULT, RerankSettings, agreement_logit, order_scored, put_in_places
from anomalylmm.rerank.side_questions import (
    DESCRIPTION,
    ask_descriptions,
    ask_filter,
    build_filter_questions,
    compare_descriptions,
)
from anomalylmm.rerank.verdicts import VerdictReader, add_descriptions, add_reason, choose_facets, share_verdict

PAIR_VIEWS = 2  # pictures that a judge must take to compare two candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication:
    """All candidates in their final order, and what that cost."""

    ranked: tuple[RankedCandidate, ...]
    num_calls: int  # questions put to the judge: one is one prompt on one look
    num_cached: int  # questions answered by the cache, or by an equal picture
    seconds: float
    unjudged: tuple[Candidate, ...] = ()  # those that the judge should have judged and did not
    notes: tuple[str, ...] = ()  # what could not be done, and why


@dataclass(slots=True, kw_only=True)
class _Case:
    """The state of one query's adjudication; positions are places in the coarse order."""

    query: Query
    candidates: Sequence[Candidate]
    plan: JudgingPlan
    questions: Questions
    asker: Asker
    cache: JudgementCache | None
    looks: dict[int, list[Look]] = field(default_factory=dict)  # of the leaders
    verdicts: dict[int, Verdict] = field(default_factory=dict)

    def score_of(self, position: int) -> float | None:
        """Returns S if the judge said something about a candidate or its leader."""
        leader = self.verdicts.get(self.plan.leader_of[position])
        return self.verdicts[position].score if leader and leader.num_calls else None

    @property
    def unjudged(self) -> list[int]:
        """Lists the chosen that were not judged, because the budget ended or the judge failed."""
        if self.questions.num_calls == 0:
            return []
        return [position for position in self.plan.chosen if self.score_of(position) is None]


class Adjudicator:
    """Masked cross-modal prompting, behavioral saliency and knowledge-aware re-ranking with one judge."""

    def __init__(
        self,
        judge: Judge,
        lexicon: Lexicon,
        settings: RerankSettings = DEFAULT,
        mapper: PatchTextMapper | None = None,
        begin: Begin | None = None,
        encoder: TextEncoder | None = None,
    ) -> None:
        """Remembers what it judges with.

        Args:
            judge: Is asked about candidates.
            lexicon: Knows words that mean the same.
            settings: Which questions are asked, and how their answers count.
            mapper: Finds where a picture shows a behavior; None: no focus crops.
            begin: Begins to ask; None: in this thread.
            encoder: Compares descriptions with queries; None: none are asked for.
        """
        self.judge, self.lexicon, self.settings = judge, lexicon, settings
        self.mapper, self.begin, self.encoder = mapper, begin, encoder

    def adjudicate(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        cache: JudgementCache | None = None,
        budget_calls: int | None = None,
        hints: Hints | None = None,
    ) -> Adjudication:
        """Judges the first candidates of the coarse order and puts them into their final order.

        Candidates that the gate or the budget leaves out have no verdict and stay in coarse order. If the judge fails
        on a candidate, its verdict is "not accepted" and says so, and it keeps its place.

        Args:
            query: What is searched for.
            candidates: In coarse order.
            cache: Where answers are kept.
            budget_calls: Most questions that may be asked; None: as the settings say.
            hints: What the coarse search knows beyond scores, by tracklet id, for gate and near-identical pictures.
        """
        started = time.perf_counter()
        case = self._open_case(query, candidates, cache, budget_calls, hints or {})
        if case.questions.num_calls == 0:
            reader = self._reader(case, None)
            case.verdicts = {position: reader.unasked(candidates[position]) for position in case.plan.chosen}
            order = list(case.plan.chosen)
        else:
            self._judge_leaders(case)
            self._share(case)
            order = self._order(case)
            self._explain(case, order)
        return Adjudication(
            ranked=_rank(case, order),
            num_calls=case.asker.num_calls,
            num_cached=case.asker.num_cached,
            seconds=time.perf_counter() - started,
            unjudged=tuple(candidates[position] for position in case.unjudged),
            notes=self._note(case),
        )

    def _open_case(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        cache: JudgementCache | None,
        budget_calls: int | None,
        hints: Hints,
    ) -> _Case:
        named = find_absent(query, self.lexicon, self.settings.negation_kinds) if self.settings.negation else ()
        absent = tuple({(slot.word, slot.kind): slot for slot in named}.values())  # each once
        query = leave_out_negated(query, self.lexicon)
        settings, questions = self.settings, self._questions(query, absent)
        budget = budget_calls if budget_calls is not None else settings.budget_calls or None
        asker = self._asker(questions, cache, budget)
        first = candidates[: settings.top_n or query.top_n]
        planned = settings if questions.num_calls else replace(settings, gate=False, same_cosine=0.0)
        plan = plan_judging(first, hints, planned)
        return _Case(query=query, candidates=candidates, plan=plan, questions=questions, asker=asker, cache=cache)

    def _asker(self, questions: Questions, cache: JudgementCache | None, budget: int | None) -> Asker:
        size = self.settings.batch_size
        return Asker(self.judge, questions, cache=cache, budget_calls=budget, batch_size=size, begin=self.begin)

    def _questions(self, query: Query, absent: tuple[Slot, ...]) -> Questions:
        slots, reading = query.cloze.slots, self.settings.reading
        is_read = self._reads_orders and self.settings.moment_frames > 0
        orders = find_orders(query.cloze, self.lexicon) if is_read else {}
        facets = choose_facets(slots) if self.settings.facets else ()
        return Questions(
            slots=slots,
            layout=layout_answers(query.cloze, orders),
            cloze_prompt=write_cloze_prompt(query.cloze),
            affirm_prompt=write_affirm_prompt(query.text),
            likelihood=bool(slots) and reading in {"likelihood", "both"},
            generate=bool(slots) and reading in {"generate", "both"},
            affirm=self.settings.affirm_weight > 0,
            facets=facets,
            absent=absent,
            facet_prompts=tuple(map(write_facet_prompt, (*facets, *absent))),
        )

    @property
    def _reads_orders(self) -> bool:
        return self.settings.moment_join == "order" and self.judge.moment_way == "single"

    def wants_moment(self, query: Query) -> bool:
        """Tells whether a query's candidates are shown as moments; who reads orders needs them for these alone."""
        has_use = not self._reads_orders or bool(find_orders(query.cloze, self.lexicon))
        return self.settings.moment_frames > 0 and has_use

    def _reader(self, case: _Case, blind: NDArray[np.float64] | None) -> VerdictReader:
        return VerdictReader(
            query=case.query,
            questions=case.questions,
            blind=blind,
            lexicon=self.lexicon,
            settings=self.settings,
            judge_id=self.judge.judge_id,
        )

    def _judge_leaders(self, case: _Case) -> None:
        """Asks the cheap questions about all leaders and reads the verdicts."""
        leaders = case.plan.leaders
        looks_of = self._looks(case.query, [case.candidates[position] for position in leaders], case.asker)
        case.looks = dict(zip(leaders, looks_of, strict=True))
        if self.settings.filter:
            self._filter(case)
        open_looks = {position: looks for position, looks in case.looks.items() if position not in case.verdicts}
        looks_of = list(open_looks.values())
        blind = case.asker.read_prior() if case.questions.likelihood and any(looks_of) else None
        found = case.asker.ask(looks_of)
        reader = self._reader(case, blind)
        for position, looks in open_looks.items():
            if all(look.key in found for look in looks):
                heard = join_moments([(look, found[look.key]) for look in looks])
                case.verdicts[position] = reader.read(case.candidates[position], heard)
        self._describe(case, [position for position in open_looks if position in case.verdicts])

    def _filter(self, case: _Case) -> None:
        """Gives a verdict to each leader that surely shows nothing of the kind."""
        asker = self._asker(build_filter_questions(case.query), case.cache, case.asker.budget_left)
        reader = self._reader(case, None)
        for position, heard in ask_filter(asker, case.looks).items():
            verdict = reader.read_filter(case.candidates[position], heard)
            if verdict is not None:
                case.verdicts[position] = verdict
        case.asker.add_calls(asker)

    def _describe(self, case: _Case, judged: Sequence[int]) -> None:
        """Adds to the verdicts of the judged how they are described, and to S how like the query that is."""
        if not self.settings.description_weight or self.encoder is None:
            return
        asker = self._asker(DESCRIPTION, case.cache, case.asker.budget_left)
        looks = {position: look for position in judged if (look := _telling_look(case, position))}
        described = ask_descriptions(asker, looks)
        case.asker.add_calls(asker)
        likeness = compare_descriptions(self.encoder, case.query.text, described)
        verdicts = {position: case.verdicts[position] for position in described}
        case.verdicts |= add_descriptions(verdicts, described, likeness, self.settings.description_weight)

    def _share(self, case: _Case) -> None:
        for position, leader in case.plan.leader_of.items():
            if position != leader and leader in case.verdicts:
                candidates = case.candidates[leader], case.candidates[position]
                case.verdicts[position] = share_verdict(case.verdicts[leader], *candidates, self.settings)

    def _order(self, case: _Case) -> list[int]:
        """Orders the chosen by score, then close neighbors by comparison; those without a score keep their place."""
        chosen = case.plan.chosen
        scores = [case.score_of(position) for position in chosen]
        ordered = order_scored(scores)
        if self.settings.pairwise:
            ordered, promotions = pivot_promote(
                ordered,
                [scores[index] or 0.0 for index in ordered],
                lambda earlier, later: self._compare(case, chosen[earlier], chosen[later]),
                window=self.settings.pair_window,
                margin=self.settings.pair_margin,
                top=self.settings.pair_top,
            )
            for promotion in promotions:
                self._note_promotion(case, chosen[promotion.item], chosen[promotion.before], promotion.reading)
        return list(put_in_places(chosen, ordered))

    def _compare(self, case: _Case, earlier: int, later: int) -> PairReading | None:
        """Compares two candidates by their best pictures, or by their scores if the judge takes only one."""
        first, second = (case.plan.leader_of[position] for position in (earlier, later))
        if first == second:
            return None
        if self.judge.max_views < PAIR_VIEWS:
            scores = [(case.verdicts[place].score, case.candidates[place]) for place in (later, earlier)]
            won, lost = (agreement_logit(value, candidate, self.settings) for value, candidate in scores)
            return PairReading(forward=won - lost, backward=won - lost)
        shown, other = (case.candidates[leader].images[0] for leader in (first, second))
        logits = case.asker.compare(shown, other, write_pair_prompt(case.query.text))
        return PairReading(forward=logits[0], backward=logits[1]) if logits else None

    def _note_promotion(self, case: _Case, winner: int, loser: int, reading: PairReading) -> None:
        name = case.candidates[loser].tracklet_id
        reason = f"put before tracklet {name} by comparison ({reading.mean:+.2f} logits)"
        case.verdicts[winner] = add_reason(case.verdicts[winner], reason)

    def _explain(self, case: _Case, order: Sequence[int]) -> None:
        """Asks the judge for a reason for each accepted candidate, best first."""
        prompt = write_reason_prompt(case.query.text)
        for position in order if self.settings.explain else ():
            verdict = case.verdicts.get(position)
            look = _telling_look(case, position)
            if verdict is None or not verdict.accepted or look is None:
                continue
            written = case.asker.write(look, prompt)
            if written is not None:
                reason = f"the judge writes: {read_reason(written) or 'nothing that can be read'}"
                case.verdicts[position] = add_reason(verdict, reason)

    def _note(self, case: _Case) -> tuple[str, ...]:
        notes = []
        missing = sum(position not in case.verdicts for position in case.plan.chosen)
        if missing:
            notes.append(f"{missing} candidates were not judged: the budget ended, or the judge stopped answering")
        if self.settings.pairwise and self.judge.max_views < PAIR_VIEWS:
            notes.append("the judge takes one picture at a time, so pairs were compared by their single readings")
        return tuple(notes)

    def _looks(self, query: Query, chosen: Sequence[Candidate], asker: Asker) -> list[list[Look]]:
        """Splits each candidate's views into looks of at most as many as the judge takes at once."""
        size = max(1, self.judge.max_views)
        views_of = [[] if item.moment else list(item.images[: self.settings.max_images]) for item in chosen]
        if self.settings.focus and self.mapper:
            focus_of = cut_focus_crops(query, views_of, self.mapper)
            views_of = [[*views, *focus] for views, focus in zip(views_of, focus_of, strict=True)]
        mirror = self.settings.mirror and not names_a_side(query.text)
        return [
            list(iter_looks(shown, asker, mirror=mirror))
            for shown in (
                split_moment(item.moment, self.judge) if item.moment else split_views(views, size)
                for item, views in zip(chosen, views_of, strict=True)
            )
        ]


def _telling_look(case: _Case, position: int) -> Look | None:
    """Returns the look by which a candidate is described: a moment's middle, else the best crop; None without any."""
    looks = case.looks.get(position, [])
    middle = len(looks) // 2 if case.candidates[position].moment is not None else 0
    return looks[middle] if looks else None


def _rank(case: _Case, order: Sequence[int]) -> tuple[RankedCandidate, ...]:
    """Puts the chosen in their final order, the waiting among them and the rest behind."""
    first = weave(order, case.plan.waiting)
    verdicts: Mapping[int, Verdict] = case.verdicts
    return tuple(
        RankedCandidate(candidate=case.candidates[position], rank=rank, verdict=verdicts.get(position))
        for rank, position in enumerate((*first, *range(len(first), len(case.candidates))))
    )

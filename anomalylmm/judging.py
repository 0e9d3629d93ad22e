"""Runs the three stages of the method on candidates with a judge; knows no model and no store."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalylmm.asking import Asker, Evidence, JudgementCache, Look, Questions
from anomalylmm.crops import cut
from anomalylmm.lexicon import Lexicon
from anomalylmm.prompts import layout_answers, parse_cloze, write_affirm_prompt, write_cloze_prompt
from anomalylmm.protocols import Judge, PatchTextMapper
from anomalylmm.records import UNKNOWN, Candidate, Floats, Image, Query, RankedCandidate, Slot, SlotVerdict, Verdict
from anomalylmm.rerank import DEFAULT, RerankSettings, confidence, rerank, score, write_reason
from anomalylmm.saliency import focus_box, slot_posteriors, slot_saliency, slot_weights

__all__ = ["Adjudication", "Adjudicator", "JudgementCache"]

FOCUS_MOST_AREA = 0.8  # of the image, above which a focus crop shows nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication:
    """All candidates in their final order, and what that cost."""

    ranked: tuple[RankedCandidate, ...]
    num_calls: int  # questions put to the judge: one is one prompt on one look
    num_cached: int  # questions answered by the cache, or by an equal picture
    seconds: float


class Adjudicator:
    """Masked cross-modal prompting, behavioral saliency and knowledge-aware re-ranking with one judge."""

    def __init__(
        self,
        judge: Judge,
        lexicon: Lexicon,
        settings: RerankSettings = DEFAULT,
        mapper: PatchTextMapper | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.judge = judge
        self.lexicon = lexicon
        self.settings = settings
        self.mapper = mapper
        self._clock = clock

    def adjudicate(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        cache: JudgementCache | None = None,
        budget_calls: int | None = None,
    ) -> Adjudication:
        """Judges the first candidates of the coarse order and puts them into their final order.

        Candidates that the budget does not cover have no verdict and keep their places. A judge that fails on one
        candidate is not fatal: its verdict is "not accepted" and says so, and it keeps its place.
        """
        started = self._clock()
        questions = self._questions(query)
        asker = Asker(
            self.judge, questions, cache=cache, budget_calls=budget_calls, batch_size=self.settings.batch_size,
            clock=self._clock,
        )  # fmt: skip
        chosen = candidates[: self.settings.top_n or query.top_n]
        verdicts: list[Verdict | None]
        if questions.num_calls == 0:
            verdicts = [self._unasked(candidate) for candidate in chosen]
        else:
            verdicts = self._judge_all(query, chosen, questions, asker)
        scores = [verdict.score if verdict and verdict.num_calls else None for verdict in verdicts]
        return Adjudication(
            ranked=_rank(candidates, verdicts, scores),
            num_calls=asker.num_calls,
            num_cached=asker.num_cached,
            seconds=self._clock() - started,
        )

    def _questions(self, query: Query) -> Questions:
        slots, reading = query.cloze.slots, self.settings.reading
        return Questions(
            slots=slots,
            layout=layout_answers(query.cloze),
            cloze_prompt=write_cloze_prompt(query.cloze),
            affirm_prompt=write_affirm_prompt(query.text),
            likelihood=bool(slots) and reading in {"likelihood", "both"},
            generate=bool(slots) and reading in {"generate", "both"},
            affirm=self.settings.affirm_weight > 0,
        )

    def _judge_all(
        self, query: Query, chosen: Sequence[Candidate], questions: Questions, asker: Asker
    ) -> list[Verdict | None]:
        looks_of = self._looks(query, chosen, asker)
        blind = asker.read_prior() if questions.likelihood and any(looks_of) else None
        found = asker.ask(looks_of)
        return [
            self._verdict(query, candidate, [found[look.key] for look in looks], questions, blind)
            if all(look.key in found for look in looks)
            else None
            for candidate, looks in zip(chosen, looks_of, strict=True)
        ]

    def _looks(self, query: Query, chosen: Sequence[Candidate], asker: Asker) -> list[list[Look]]:
        """Shares each candidate's views out into looks of at most as many as the judge takes at once."""
        size = max(1, self.judge.max_views)
        views_of = [list(candidate.images[: self.settings.max_images]) for candidate in chosen]
        if self.settings.focus and self.mapper:
            focus_of = self._focus_crops(query, views_of, self.mapper)
            views_of = [[*views, *focus] for views, focus in zip(views_of, focus_of, strict=True)]
        return [
            [asker.build_look(views[start : start + size]) for start in range(0, len(views), size)]
            for views in views_of
        ]

    def _focus_crops(
        self, query: Query, views_of: Sequence[Sequence[Image]], mapper: PatchTextMapper
    ) -> list[list[Image]]:
        """Cuts the region of each candidate's best view where the behavior shows most; none where that is all of it."""
        words = [slot.word for slot in query.cloze.slots if slot.kind == "action"]
        text = f"a person is {' and '.join(words)}" if words else query.text
        best = [views[0] for views in views_of if views]
        maps = iter(mapper.patch_maps(best, text)) if best else iter(())
        return [_focus_crop(views[0], next(maps)) if views else [] for views in views_of]

    def _verdict(
        self,
        query: Query,
        candidate: Candidate,
        heard: Sequence[Evidence],
        questions: Questions,
        blind: NDArray[np.float64] | None,
    ) -> Verdict:
        usable = [evidence for evidence in heard if not evidence.error]
        problems = [evidence.error for evidence in heard if evidence.error]
        if not usable:
            return self._failed(candidate, problems or ["the candidate has no picture"])
        posteriors = self._posteriors(questions, np.array([evidence.log_scores for evidence in usable]), blind)
        slots, trouble = self._read_slots(questions, usable, posteriors, blind)
        saliencies = [slot.saliency for slot in slots] if self.settings.saliency else None
        weights = slot_weights(questions.slots, saliencies)
        match = float(np.dot(weights, [slot.match for slot in slots])) if slots else None
        affirm = _affirm(usable, posteriors, questions.slots) if questions.affirm else None
        sure = confidence(slots, weights.tolist(), affirm, self.settings)
        return Verdict(
            tracklet_id=candidate.tracklet_id,
            accepted=sure >= query.accept,
            confidence=sure,
            score=score(match, affirm, candidate.rank, self.settings),
            affirm=affirm or 0.0,
            slots=slots,
            reason=write_reason(slots, affirm, [*problems, *trouble]),
            judge_id=self.judge.judge_id,
            num_calls=len(usable) * questions.num_calls,
            seconds=sum(evidence.seconds for evidence in usable),
            cached=all(evidence.cached for evidence in usable),
        )

    def _posteriors(
        self, questions: Questions, log_scores: NDArray[np.float64], blind: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], ...]:
        """Gives each slot's distribution (L, W) over its words for L looks; nothing without the likelihood reading."""
        if not questions.likelihood:
            return ()
        return slot_posteriors(log_scores, questions.layout, blind=blind, discount=self.settings.prior_discount)

    def _read_slots(
        self,
        questions: Questions,
        usable: Sequence[Evidence],
        posteriors: Sequence[NDArray[np.float64]],
        blind: NDArray[np.float64] | None,
    ) -> tuple[tuple[SlotVerdict, ...], list[str]]:
        parsed = [parse_cloze(evidence.answer, len(questions.slots)) for evidence in usable if questions.generate]
        priors = slot_posteriors(blind[None], questions.layout) if blind is not None else ()
        verdicts = []
        for index, slot in enumerate(questions.slots):
            verdict = _blank_verdict(slot)
            if posteriors:
                prior = priors[index][0] if priors else _uniform(posteriors[index].shape[1])
                verdict = _read_likelihood(slot, posteriors[index], prior, questions.layout.words[index])
            if parsed:
                verdict = self._read_written(verdict, [answer.words[index] for answer in parsed], bool(posteriors))
            verdicts.append(verdict)
        return tuple(verdicts), [problem for answer in parsed for problem in answer.problems]

    def _read_written(self, verdict: SlotVerdict, words: Sequence[str], has_likelihood: bool) -> SlotVerdict:
        """Adds the written words of L looks: a behavior may show in one look only, a color should show in all."""
        agreements = [self.lexicon.similarity(word, verdict.word, verdict.kind) for word in words]
        word = words[int(np.argmax(agreements))]
        agreement = max(agreements) if verdict.kind == "action" else float(np.mean(agreements))
        answer = UNKNOWN if word == UNKNOWN else self.lexicon.canonical(word, verdict.kind)
        if has_likelihood:
            return replace(verdict, answer=answer, match=(verdict.match + agreement) / 2)
        saliency = 0.0 if word == UNKNOWN else 1.0
        return replace(verdict, answer=answer, match=agreement, probability=agreement, saliency=saliency)

    def _failed(self, candidate: Candidate, problems: Sequence[str]) -> Verdict:
        reason = "not judged: " + "; ".join(dict.fromkeys(problems))
        return _empty_verdict(candidate, reason, self.judge.judge_id)

    def _unasked(self, candidate: Candidate) -> Verdict:
        reason = "not judged: the query has no slots and these settings ask nothing else, so the coarse order stays"
        return _empty_verdict(candidate, reason, self.judge.judge_id)


def _read_likelihood(
    slot: Slot, posterior: NDArray[np.float64], prior: NDArray[np.float64], words: Sequence[str]
) -> SlotVerdict:
    """Reads a slot from L looks (L, W): a behavior from the look with most evidence for it, others from their mean."""
    seen = posterior[int(np.argmax(posterior[:, 0]))] if slot.kind == "action" else posterior.mean(axis=0)
    return SlotVerdict(
        word=slot.word,
        kind=slot.kind,
        answer=words[int(np.argmax(seen))],
        match=float(seen[0]),
        probability=float(seen[0]),
        prior=float(prior[0]),
        saliency=slot_saliency(seen, prior),
    )


def _affirm(usable: Sequence[Evidence], posteriors: Sequence[NDArray[np.float64]], slots: Sequence[Slot]) -> float:
    """Gives the probability of yes at the look that shows the behaviors best; without any, from the mean logit."""
    logits = np.array([evidence.affirm_logit for evidence in usable])
    actions = [index for index, slot in enumerate(slots) if slot.kind == "action"]
    if actions and posteriors:
        shown = sum(np.log(posteriors[index][:, 0] + 1e-12) for index in actions)
        logit = float(logits[int(np.argmax(shown))])
    else:
        logit = float(logits.max() if actions else logits.mean())
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def _focus_crop(image: Image, patch_map: Floats) -> list[Image]:
    height, width = image.shape[:2]
    left, top, right, bottom = focus_box(patch_map, width, height)
    if (right - left) * (bottom - top) > FOCUS_MOST_AREA * width * height:
        return []
    return [cut(image, (left, top, right, bottom))]


def _rank(
    candidates: Sequence[Candidate], verdicts: Sequence[Verdict | None], scores: Sequence[float | None]
) -> tuple[RankedCandidate, ...]:
    judged = [(candidate, verdict) for candidate, verdict in zip(candidates, verdicts, strict=False)]
    pairs = [*judged, *((candidate, None) for candidate in candidates[len(judged) :])]
    ordered = rerank(pairs, scores, len(scores))
    return tuple(
        RankedCandidate(candidate=candidate, rank=rank, verdict=verdict)
        for rank, (candidate, verdict) in enumerate(ordered)
    )


def _blank_verdict(slot: Slot) -> SlotVerdict:
    return SlotVerdict(
        word=slot.word, kind=slot.kind, answer=UNKNOWN, match=0.0, probability=0.0, prior=0.0, saliency=0.0
    )


def _empty_verdict(candidate: Candidate, reason: str, judge_id: str) -> Verdict:
    return Verdict(
        tracklet_id=candidate.tracklet_id, accepted=False, confidence=0.0, score=0.0, affirm=0.0, slots=(),
        reason=reason, judge_id=judge_id, num_calls=0, seconds=0.0,
    )  # fmt: skip


def _uniform(width: int) -> NDArray[np.float64]:
    return np.full(width, 1.0 / width)

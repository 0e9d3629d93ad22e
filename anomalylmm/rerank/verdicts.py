"""Reads what the judge said of a candidate into a verdict; asks nothing and orders nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.crops import has_color
from anomalylmm.posture.classes import READINGS
from anomalylmm.posture.words import read_word
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import UNKNOWN, Candidate, Query, Slot, SlotVerdict, Verdict
from anomalylmm.rerank.absence import read_absent, scores_of_moment
from anomalylmm.rerank.evidence import Evidence, Questions, average
from anomalylmm.rerank.order import name_frames, read_phases, score_order
from anomalylmm.rerank.prompts import AnswerLayout, parse_cloze
from anomalylmm.rerank.saliency import slot_posteriors, slot_saliency, slot_weights
from anomalylmm.rerank.score import (
    RerankSettings,
    coarse_term,
    confidence,
    join_experts,
    product_score,
    score,
    sigmoid,
    write_reason,
)

Posteriors = Sequence[NDArray[np.float64]]  # one per slot, (L, W) for L looks and W words
UNSURE = 0.5  # neither yes nor no
_NO_COLOR = "no color: the picture is gray"
_UNASKED = "not judged: the query has no masked words and these settings ask nothing else, so the coarse order stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReader:
    """Reads the evidence of one query's candidates."""

    query: Query
    questions: Questions
    blind: NDArray[np.float64] | None  # (A,) log-likelihoods without a picture
    lexicon: Lexicon
    settings: RerankSettings
    judge_id: str

    def read(self, candidate: Candidate, heard: Sequence[Evidence]) -> Verdict:
        """Reads the evidence of all looks of one candidate; if none is usable, the verdict says so."""
        usable = [evidence for evidence in heard if not evidence.error]
        problems = [evidence.error for evidence in heard if evidence.error]
        if not usable:
            reason = "not judged: " + "; ".join(dict.fromkeys(problems or ["the candidate has no picture"]))
            return _empty_verdict(candidate, reason, self.judge_id)
        posteriors, frames = self._posteriors(usable), [evidence.log_scores for evidence in usable]
        if candidate.moment and self.settings.moment_join == "mean":
            usable = [average(usable)]
            posteriors = self._posteriors(usable)
        slots, trouble = self._read_slots(usable, posteriors)
        if candidate.moment and self.questions.likelihood and len(frames) > 1:
            slots = add_frames(slots, np.array(frames), self.questions.layout)
        slots = tuple(self._add_posture(slot, candidate) for slot in slots)
        slots += self._read_absent(usable, posteriors, candidate)
        saliencies = [slot.saliency for slot in slots] if self.settings.saliency else None
        weights = slot_weights(slots, saliencies)
        affirm = self._read_affirm(usable, posteriors)
        notes, is_open = [], False
        asks_color = any(slot.kind == "color" for slot in slots)
        if asks_color and candidate.images and not any(map(has_color, candidate.images)):
            slots, weights = _without_color(slots, weights)
            affirm, notes, is_open = None, [_NO_COLOR], all(slot.kind == "color" for slot in slots)
        sure = confidence(slots, weights.tolist(), affirm, self.settings)
        return Verdict(
            tracklet_id=candidate.tracklet_id,
            accepted=sure >= self.query.accept and not is_open,
            confidence=sure,
            score=self._score(candidate, [slot.match for slot in slots], weights.tolist(), affirm),
            affirm=affirm or 0.0,
            slots=slots,
            reason="; ".join([write_reason(slots, affirm, [*problems, *trouble]), *notes]),
            judge_id=self.judge_id,
            num_calls=sum(evidence.num_looks for evidence in usable) * self.questions.num_calls,
            seconds=sum(evidence.seconds for evidence in usable),
            cached=all(evidence.cached for evidence in usable),
            evidence=candidate.evidence,
        )

    def _posteriors(self, usable: Sequence[Evidence]) -> Posteriors:
        log_scores = np.array([evidence.log_scores for evidence in usable])
        return slot_posteriors(log_scores, self.questions.layout) if self.questions.likelihood else ()

    def _score(
        self, candidate: Candidate, matches: Sequence[float], weights: Sequence[float], affirm: float | None
    ) -> float:
        if self.settings.fusion == "product":
            return product_score(matches, weights, affirm, candidate.z_score, self.settings)
        match = float(np.dot(weights, matches)) if matches else None
        return score(match, affirm, candidate.rank, self.settings)

    def read_filter(self, candidate: Candidate, heard: Sequence[Evidence]) -> Verdict | None:
        """Reads the filter's answers on all looks of one candidate; None if one look passes and the judge goes on."""
        likelihood = sigmoid(max(evidence.affirm_logit for evidence in heard))
        if likelihood >= self.settings.filter:
            return None
        return Verdict(
            tracklet_id=candidate.tracklet_id,
            accepted=False,
            confidence=likelihood,
            score=self._score(candidate, (), (), likelihood),
            affirm=likelihood,
            slots=(),
            reason=f"filtered: the judge sees nothing of the kind ({likelihood:.2f}), so it was asked nothing else",
            judge_id=self.judge_id,
            num_calls=sum(evidence.num_looks for evidence in heard),
            seconds=sum(evidence.seconds for evidence in heard),
            cached=all(evidence.cached for evidence in heard),
        )

    def unasked(self, candidate: Candidate) -> Verdict:
        """Says that there was nothing to ask."""
        return _empty_verdict(candidate, _UNASKED, self.judge_id)

    def _read_slots(
        self, usable: Sequence[Evidence], posteriors: Posteriors
    ) -> tuple[tuple[SlotVerdict, ...], list[str]]:
        asked = self.questions
        parsed = [parse_cloze(evidence.answer, len(asked.slots)) for evidence in usable if asked.generate]
        priors = slot_posteriors(self.blind[None], asked.layout) if self.blind is not None else ()
        verdicts = []
        for index, slot in enumerate(asked.slots):
            verdict = _blank_verdict(slot)
            if posteriors:
                words = asked.layout.words[index]
                prior = priors[index][0] if priors else np.full(len(words), 1.0 / len(words))
                verdict = _read_likelihood(slot, posteriors[index], prior, words)
            if parsed:
                verdict = self._read_written(verdict, [answer.words[index] for answer in parsed], bool(posteriors))
            verdicts.append(verdict)
        return tuple(verdicts), [problem for answer in parsed for problem in answer.problems]

    def _add_posture(self, slot: SlotVerdict, candidate: Candidate) -> SlotVerdict:
        """Joins what the joints say of a behavior to what the judge saw; other slots stay as they are."""
        seen = read_word(slot.word, slot.kind, candidate.posture_scores)
        if seen is None or self.settings.posture_weight == 0:
            return slot
        weight = self.settings.posture_weight * READINGS[slot.word].weight
        return replace(slot, match=join_experts(slot.match, seen, weight), posture=seen)

    def _read_absent(
        self, usable: Sequence[Evidence], posteriors: Posteriors, candidate: Candidate
    ) -> tuple[SlotVerdict, ...]:
        """Reads the slots that must not be seen, whose logits stand behind those of the facets."""
        asked, weight = self.questions, self.settings.posture_weight
        best = _best_look(posteriors, asked.slots)
        shown = scores_of_moment(asked.slots, candidate.posture_scores)
        return tuple(
            read_absent(slot, [evidence.facet_logits[index] for evidence in usable], best, shown, weight)
            for index, slot in enumerate(asked.absent, len(asked.facets))
        )

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

    def _read_affirm(self, usable: Sequence[Evidence], posteriors: Posteriors) -> float | None:
        """Returns the probability of yes to the whole sentence, capped by that of its weakest facet."""
        asked = self.questions
        if not asked.affirm:
            return None
        logits = [_sentence_logit(usable, posteriors, asked.slots)]
        for index, slot in enumerate(asked.facets):
            shown = [evidence.facet_logits[index] for evidence in usable if index < len(evidence.facet_logits)]
            if shown:
                logits.append(max(shown) if slot.kind == "action" else float(np.mean(shown)))
        return sigmoid(min(logits))


def add_frames(
    slots: Sequence[SlotVerdict], log_scores: NDArray[np.float64], layout: AnswerLayout
) -> tuple[SlotVerdict, ...]:
    """Adds to each slot what each frame of a moment (T, A) shows; of a slot that has an order, that is what counts."""
    posteriors, read = slot_posteriors(log_scores, layout), []
    for index, slot in enumerate(slots):
        phases = layout.phases.get(index)
        if phases is None:
            read.append(replace(slot, frames=name_frames(posteriors[index], layout.words[index])))
            continue
        shares = read_phases(log_scores, phases)
        order = score_order(shares, phases)
        answer = slot.word if order >= UNSURE else phases.words[int(shares.mean(axis=0).argmax())]
        read.append(
            replace(slot, match=order, probability=order, answer=answer, frames=name_frames(shares, phases.words))
        )
    return tuple(read)


def choose_facets(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Chooses the slots that are asked about alone: the behaviors, or all if no behavior is named."""
    return tuple(slot for slot in slots if slot.kind == "action") or tuple(slots)


def share_verdict(verdict: Verdict, leader: Candidate, candidate: Candidate, settings: RerankSettings) -> Verdict:
    """Gives a candidate the verdict of another with nearly the same picture, at its own coarse rank."""
    shift = coarse_term(candidate, settings) - coarse_term(leader, settings)
    return replace(
        verdict,
        tracklet_id=candidate.tracklet_id,
        score=verdict.score + shift if verdict.num_calls else verdict.score,
        reason=f"judged as tracklet {leader.tracklet_id}, whose picture is nearly the same; {verdict.reason}",
        num_calls=0,
        seconds=0.0,
        cached=True,
    )


def add_reason(verdict: Verdict, more: str) -> Verdict:
    """Adds a part to a verdict's reason."""
    return replace(verdict, reason=f"{verdict.reason}; {more}")


def add_descriptions(
    verdicts: Mapping[int, Verdict], described: Mapping[int, str], likeness: Mapping[int, float], weight: float
) -> dict[int, Verdict]:
    """Adds descriptions to verdicts, and to S by how much more like the query each is than the mean of them.

    So who has no description is neither raised nor lowered.

    Args:
        verdicts: By position.
        described: What the judge wrote of each.
        likeness: Cosine of each description and the query.
        weight: Of that difference in S.
    """
    mean = sum(likeness.values()) / max(1, len(likeness))
    return {
        position: replace(
            add_reason(verdict, f"its description and the query have a cosine of {likeness[position]:.2f}"),
            score=verdict.score + weight * (likeness[position] - mean),
            description=described[position],
        )
        for position, verdict in verdicts.items()
    }


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


def _without_color(
    slots: Sequence[SlotVerdict], weights: NDArray[np.float64]
) -> tuple[tuple[SlotVerdict, ...], NDArray[np.float64]]:
    """Makes the colors among S slots unsure and their weight 0 if there are other slots; weights (S,) sum to 1."""
    is_color = np.array([slot.kind == "color" for slot in slots])
    unsure = tuple(
        replace(slot, answer=UNKNOWN, match=UNSURE, probability=UNSURE, saliency=0.0) if mine else slot
        for slot, mine in zip(slots, is_color, strict=True)
    )
    others = np.where(is_color, 0.0, weights)
    return unsure, others / others.sum() if others.sum() > 0 else weights


def _sentence_logit(usable: Sequence[Evidence], posteriors: Posteriors, slots: Sequence[Slot]) -> float:
    """Returns the logit of yes at the look that shows the behaviors best; without any, the mean logit."""
    logits = np.array([evidence.affirm_logit for evidence in usable])
    best = _best_look(posteriors, slots)
    if best is not None:
        return float(logits[best])
    return float(logits.max() if any(slot.kind == "action" for slot in slots) else logits.mean())


def _best_look(posteriors: Posteriors, slots: Sequence[Slot]) -> int | None:
    """Returns the look that shows the behaviors best; None without any, or if they are only written."""
    actions = [index for index, slot in enumerate(slots) if slot.kind == "action"]
    if not actions or not posteriors:
        return None
    return int(np.argmax(sum(np.log(posteriors[index][:, 0] + 1e-12) for index in actions)))


def _blank_verdict(slot: Slot) -> SlotVerdict:
    return SlotVerdict(
        word=slot.word, kind=slot.kind, answer=UNKNOWN, match=0.0, probability=0.0, prior=0.0, saliency=0.0
    )


def _empty_verdict(candidate: Candidate, reason: str, judge_id: str) -> Verdict:
    return Verdict(
        tracklet_id=candidate.tracklet_id,
        accepted=False,
        confidence=0.0,
        score=0.0,
        affirm=0.0,
        slots=(),
        reason=reason,
        judge_id=judge_id,
        num_calls=0,
        seconds=0.0,
        evidence=candidate.evidence,
    )

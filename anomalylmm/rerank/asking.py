"""Asks a judge: in batches, within a budget, equal pictures once, and on through failures; knows no ranking."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Judge
from anomalylmm.records import Clip, Image
from anomalylmm.rerank.evidence import (
    MIN_LOG,
    Evidence,
    JudgementCache,
    Look,
    Questions,
    build_evidence,
    digest_image,
    digest_views,
    read_row,
    require_shape,
    write_row,
)
from anomalylmm.rerank.interview import Answer, Begin, begin_here
from anomalylmm.rerank.prompts import PAIR_ANSWERS, check_scores

MAX_FAILURES = 3  # in a row, after which the judge counts as unavailable and is not asked again
PAIR_CALLS = 2  # a pair is asked about in both orders


class Asker:
    """Asks one query's questions and counts the calls; used for one adjudication."""

    def __init__(
        self,
        judge: Judge,
        questions: Questions,
        *,
        cache: JudgementCache | None,
        budget_calls: int | None,
        batch_size: int,
        begin: Begin | None = None,
    ) -> None:
        self.num_calls = 0
        self.num_cached = 0
        self._judge, self._questions, self._cache = judge, questions, cache
        self._budget, self._batch_size = budget_calls, batch_size
        self._begin = begin or partial(begin_here, judge)
        self._failures = 0

    @property
    def budget_left(self) -> int | None:
        """Questions that may still be asked; None if there is no limit."""
        return None if self._budget is None else max(0, self._budget - self.num_calls)

    def add_calls(self, other: "Asker") -> None:
        """Counts what another asker of the same query has asked, as if it were this one's."""
        self.num_calls += other.num_calls
        self.num_cached += other.num_cached
        self._failures = max(self._failures, other._failures)

    def build_look(self, views: Sequence[Image], moment: int = 0) -> Look:
        """Builds a look, with the key of its evidence: judge, pictures, prompts and answers."""
        asked = self._questions
        digests = digest_views(views)
        cloze_prompt = asked.cloze_prompt if asked.slots or asked.generate else ""
        prompts = [cloze_prompt, asked.affirm_prompt if asked.affirm else ""]
        key = self._key(digests, [*prompts, *asked.facet_prompts], asked.likelihood, asked.generate)
        return Look(key=key, views=views if isinstance(views, Clip) else tuple(views), moment=moment)

    def read_prior(self) -> NDArray[np.float64] | None:
        """Asks for the blind log-likelihoods (A,) of the layout's answers; None if it fails or may not be asked."""
        asked = self._questions
        key = self._key([], [asked.cloze_prompt], True, False)
        known = self._known([key]).get(key)
        if known and len(known.log_scores) == len(asked.layout.answers):
            self.num_cached += 1
            return np.asarray(known.log_scores)
        if not self._may_ask(1):
            return None
        self.num_calls += 1
        try:
            scores = self._judge.score_answers_blind(asked.cloze_prompt, asked.layout.answers)
        except JudgeError:
            return None
        if check_scores(scores, (len(asked.layout.answers),)):
            return None
        prior = np.maximum(np.asarray(scores, dtype=np.float64), MIN_LOG)
        self._keep({key: Evidence(log_scores=tuple(prior.tolist()))})
        return prior

    def ask(self, looks_of: Sequence[Sequence[Look]]) -> dict[str, Evidence]:
        """Asks about the looks of N candidates, the first candidates first.

        A candidate is asked about in full or not at all. What the budget does not cover is missing from the result, and
        so is everything after the judge has failed three times in a row.
        """
        known = self._known([look.key for looks in looks_of for look in looks])
        wanted = self._within_budget(looks_of, known)
        found = dict(known)
        starts = range(0, len(wanted), self._batch_size)
        batches = [wanted[start : start + self._batch_size] for start in starts]
        begun = self._begin(self._questions, [[look.views for look in batch] for batch in batches])
        for planned, answer in zip(batches, begun, strict=True):
            batch = self._affordable(planned)
            if self._failures >= MAX_FAILURES or not batch:
                break
            answers = self._ask_batch(batch, answer if len(batch) == len(planned) else None)
            self._keep({key: evidence for key, evidence in answers.items() if not evidence.error})
            found |= answers
        asked_for = sum(len(looks) for looks in looks_of) * self._questions.num_calls
        fresh = sum(key not in known for key in found) * self._questions.num_calls
        missing = sum(look.key not in found for looks in looks_of for look in looks) * self._questions.num_calls
        self.num_cached += max(0, asked_for - fresh - missing)
        return found

    def compare(self, earlier: Image, later: Image, prompt: str) -> tuple[float, float] | None:
        """Asks which of two pictures fits, in both orders; None if they are equal, the judge fails or may not be asked.

        Returns by how much the later one is preferred: log p("second") - log p("first"), and, shown the other way
        round, log p("first") - log p("second").
        """
        digests = [digest_image(image) for image in (earlier, later)]
        if digests[0] == digests[1]:
            return None
        views = [(earlier, later), (later, earlier)]

        def read() -> Evidence:
            scores = self._judge.score_answers(views, prompt, PAIR_ANSWERS)
            require_shape(scores, (PAIR_CALLS, len(PAIR_ANSWERS)))
            return build_evidence(np.ravel(scores))

        evidence = self._ask_once(self._key(digests, [prompt, "pair"], False, False), PAIR_CALLS, read)
        if evidence is None or len(evidence.log_scores) != PAIR_CALLS * len(PAIR_ANSWERS):
            return None
        forward_first, forward_second, backward_first, backward_second = evidence.log_scores
        return forward_second - forward_first, backward_first - backward_second

    def write(self, look: Look, prompt: str) -> str | None:
        """Asks the judge to write about one look; None if it fails or may not be asked."""

        def read() -> Evidence:
            written = self._judge.complete([look.views], prompt)
            if len(written) != 1:
                raise JudgeError(f"the judge gave {len(written)} answers for 1 candidate")
            return build_evidence(answer=str(written[0]))

        digests = digest_views(look.views)
        evidence = self._ask_once(self._key(digests, [prompt, "write"], False, False), 1, read)
        return evidence.answer if evidence else None

    def _ask_once(self, key: str, cost: int, read: Callable[[], Evidence]) -> Evidence | None:
        """Asks one further question, unless it was answered before."""
        known = self._known([key]).get(key)
        if known:
            self.num_cached += cost
            return known
        if self._failures >= MAX_FAILURES or not self._may_ask(cost):
            return None
        self.num_calls += cost
        try:
            evidence = read()
        except JudgeError:
            self._failures += 1
            return None
        self._failures = 0
        if evidence.error:
            return None
        self._keep({key: evidence})
        return evidence

    def _within_budget(self, looks_of: Sequence[Sequence[Look]], known: Mapping[str, Evidence]) -> list[Look]:
        wanted: dict[str, Look] = {}
        for looks in looks_of:
            new = {look.key: look for look in looks if look.key not in known and look.key not in wanted}
            if not self._may_ask((len(wanted) + len(new)) * self._questions.num_calls):
                break
            wanted |= new
        return list(wanted.values())

    def _may_ask(self, number: int) -> bool:
        return self._budget is None or self.num_calls + number <= self._budget

    def _affordable(self, looks: Sequence[Look]) -> list[Look]:
        """Returns the first looks that the budget still covers; a batch that failed counts, and is asked again."""
        if self._budget is None:
            return list(looks)
        return list(looks[: max(0, self._budget - self.num_calls) // self._questions.num_calls])

    def _ask_batch(self, batch: Sequence[Look], answer: Answer | None = None) -> dict[str, Evidence]:
        """Asks about several looks at once; if the judge fails, about each alone: one can't spoil the others."""
        try:
            answers = self._ask_judge(batch, answer)
        except JudgeError as error:
            if len(batch) > 1:
                return self._ask_each(batch)
            self._failures += 1
            return {batch[0].key: Evidence(error=str(error)[:300] or "the judge failed")}
        self._failures = 0
        return answers

    def _ask_each(self, batch: Sequence[Look]) -> dict[str, Evidence]:
        answers: dict[str, Evidence] = {}
        for look in batch:
            if self._failures < MAX_FAILURES and self._affordable([look]):
                answers |= self._ask_batch([look])
        return answers

    def _ask_judge(self, batch: Sequence[Look], answer: Answer | None) -> dict[str, Evidence]:
        self.num_calls += len(batch) * self._questions.num_calls
        if answer is None:
            (answer,) = self._begin(self._questions, [[look.views for look in batch]])
        return {look.key: evidence for look, evidence in zip(batch, answer(), strict=True)}

    def _known(self, keys: Sequence[str]) -> dict[str, Evidence]:
        rows = {} if self._cache is None else self._cache.get_many(list(dict.fromkeys(keys)))
        read = {key: read_row(row) for key, row in rows.items()}
        return {key: evidence for key, evidence in read.items() if evidence}

    def _keep(self, found: Mapping[str, Evidence]) -> None:
        if self._cache is not None and found:
            self._cache.put_many({key: write_row(evidence) for key, evidence in found.items()})

    def _key(self, digests: list[str], prompts: list[str], likelihood: bool, generate: bool) -> str:
        answers = self._questions.layout.answers if likelihood else ()
        parts = [self._judge.judge_id, digests, prompts, answers, likelihood, generate]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

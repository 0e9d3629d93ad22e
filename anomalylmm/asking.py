"""Puts questions to a judge: batches, cache, budget, equal pictures once, failures survived; knows no ranking."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.prompts import AnswerLayout, check_scores
from anomalylmm.protocols import Judge
from anomalylmm.records import Image, Slot

MOST_FAILURES = 3  # in a row, after which the judge is taken for gone and is not asked again
MOST_KEPT_CHARACTERS = 2000  # of a written answer
_LEAST_LOG = -1e4  # stands for log 0, which JSON has not


class JudgementCache(Protocol):
    """Keeps the judge's answers between sweeps."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Gives the rows that are known of these keys."""
        ...

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keeps rows of plain JSON values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked about each look of one query."""

    slots: tuple[Slot, ...]
    layout: AnswerLayout
    cloze_prompt: str
    affirm_prompt: str
    likelihood: bool
    generate: bool
    affirm: bool

    @property
    def num_calls(self) -> int:
        """Questions per look."""
        return self.likelihood + self.generate + self.affirm


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The views of a candidate that are shown in one question, and the key of all that is asked about them."""

    key: str
    views: tuple[Image, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the judge said about one look; ``error`` where it said nothing usable."""

    log_scores: tuple[float, ...] = ()
    answer: str = ""
    affirm_logit: float = 0.0
    seconds: float = 0.0
    error: str = ""
    cached: bool = False


class Asker:
    """Asks one query's questions and counts what that costs; made for one adjudication."""

    def __init__(
        self,
        judge: Judge,
        questions: Questions,
        *,
        cache: JudgementCache | None,
        budget_calls: int | None,
        batch_size: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.num_calls = 0
        self.num_cached = 0
        self._judge, self._questions, self._cache = judge, questions, cache
        self._budget, self._batch_size, self._clock = budget_calls, batch_size, clock
        self._failures = 0

    def build_look(self, views: Sequence[Image]) -> Look:
        """Gives views the key under which their evidence is kept: judge, pictures, prompts and answers."""
        asked = self._questions
        digests = [_digest_image(view) for view in views]
        prompts = [asked.cloze_prompt if asked.slots else "", asked.affirm_prompt if asked.affirm else ""]
        return Look(key=self._key(digests, prompts, asked.likelihood, asked.generate), views=tuple(views))

    def read_prior(self) -> NDArray[np.float64] | None:
        """Asks for the blind log-likelihoods (A,) of the layout's answers; None where the judge fails or may not."""
        asked = self._questions
        key = self._key([], [asked.cloze_prompt], True, False)
        known = self._known([key]).get(key)
        if known and len(known.log_scores) == len(asked.layout.answers):
            self.num_cached += 1
            return np.asarray(known.log_scores)
        if self._budget is not None and self.num_calls >= self._budget:
            return None
        self.num_calls += 1
        try:
            scores = self._judge.score_answers_blind(asked.cloze_prompt, asked.layout.answers)
        except JudgeError:
            return None
        if check_scores(scores, (len(asked.layout.answers),)):
            return None
        prior = np.maximum(np.asarray(scores, dtype=np.float64), _LEAST_LOG)
        self._keep({key: Evidence(log_scores=tuple(prior.tolist()))})
        return prior

    def ask(self, looks_of: Sequence[Sequence[Look]]) -> dict[str, Evidence]:
        """Asks about the looks of N candidates, the first candidates first.

        A candidate is asked about in full or not at all: what the budget does not cover is missing from the answer,
        as is what would have been asked of a judge that failed three times in a row.
        """
        known = self._known([look.key for looks in looks_of for look in looks])
        wanted = self._within_budget(looks_of, known)
        found = dict(known)
        for start in range(0, len(wanted), self._batch_size):
            if self._failures >= MOST_FAILURES:
                break
            batch = wanted[start : start + self._batch_size]
            answers = self._ask_batch(batch)
            self._keep({key: evidence for key, evidence in answers.items() if not evidence.error})
            found |= answers
        asked_for = sum(len(looks) for looks in looks_of) * self._questions.num_calls
        fresh = sum(key not in known for key in found) * self._questions.num_calls
        missing = sum(look.key not in found for looks in looks_of for look in looks) * self._questions.num_calls
        self.num_cached += max(0, asked_for - fresh - missing)
        return found

    def _within_budget(self, looks_of: Sequence[Sequence[Look]], known: Mapping[str, Evidence]) -> list[Look]:
        wanted: dict[str, Look] = {}
        for looks in looks_of:
            new = {look.key: look for look in looks if look.key not in known and look.key not in wanted}
            cost = (len(wanted) + len(new)) * self._questions.num_calls
            if self._budget is not None and self.num_calls + cost > self._budget:
                break
            wanted |= new
        return list(wanted.values())

    def _ask_batch(self, batch: Sequence[Look]) -> dict[str, Evidence]:
        """Asks about several looks at once; if the judge fails, about each alone: one can't spoil the others."""
        try:
            answers = self._ask_judge(batch)
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
            if self._failures < MOST_FAILURES:
                answers |= self._ask_batch([look])
        return answers

    def _ask_judge(self, batch: Sequence[Look]) -> dict[str, Evidence]:
        asked, views, started = self._questions, [look.views for look in batch], self._clock()
        self.num_calls += len(batch) * asked.num_calls
        number, width = len(batch), len(asked.layout.answers)
        scores = np.zeros((number, 0))
        if asked.likelihood:
            scores = self._judge.score_answers(views, asked.cloze_prompt, asked.layout.answers)
            _require(scores, (number, width))
        written = self._judge.complete(views, asked.cloze_prompt) if asked.generate else [""] * number
        if len(written) != number:
            raise JudgeError(f"the judge gave {len(written)} answers for {number} candidates")
        logits = np.zeros(number)
        if asked.affirm:
            logits = self._judge.affirm(views, asked.affirm_prompt)
            _require(logits, (number,))
        seconds = (self._clock() - started) / number
        return {
            look.key: _evidence(row, str(answer), float(logit), seconds)
            for look, row, answer, logit in zip(batch, scores, written, logits, strict=True)
        }

    def _known(self, keys: Sequence[str]) -> dict[str, Evidence]:
        rows = self._cache.get_many(list(dict.fromkeys(keys))) if self._cache else {}
        read = {key: _read_row(row) for key, row in rows.items()}
        return {key: evidence for key, evidence in read.items() if evidence}

    def _keep(self, found: Mapping[str, Evidence]) -> None:
        if self._cache and found:
            self._cache.put_many({key: _row(evidence) for key, evidence in found.items()})

    def _key(self, digests: list[str], prompts: list[str], likelihood: bool, generate: bool) -> str:
        answers = self._questions.layout.answers if likelihood else ()
        parts = [self._judge.judge_id, digests, prompts, answers, likelihood, generate]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _digest_image(image: Image) -> str:
    return hashlib.sha256(str(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def _require(numbers: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    problem = check_scores(numbers, shape) if np.shape(numbers) != shape else ""
    if problem:
        raise JudgeError(f"the judge {problem}")


def _evidence(row: NDArray[np.float64], answer: str, logit: float, seconds: float) -> Evidence:
    if np.isnan(row).any() or np.isnan(logit):
        return Evidence(error="the judge gave numbers that are none (NaN)", seconds=seconds)
    limited = tuple(np.clip(np.asarray(row, dtype=np.float64), _LEAST_LOG, -_LEAST_LOG).tolist())
    logit = float(np.clip(logit, _LEAST_LOG, -_LEAST_LOG))
    return Evidence(
        log_scores=limited, answer=answer[:MOST_KEPT_CHARACTERS + 1], affirm_logit=logit, seconds=seconds
    )  # fmt: skip


def _row(evidence: Evidence) -> dict[str, object]:
    return {
        "log_scores": list(evidence.log_scores),
        "answer": evidence.answer,
        "affirm_logit": evidence.affirm_logit,
        "seconds": evidence.seconds,
    }


def _read_row(row: Mapping[str, object]) -> Evidence | None:
    """Reads a cached row; one that is damaged counts as unknown."""
    scores, answer, logit, seconds = (row.get(key) for key in ("log_scores", "answer", "affirm_logit", "seconds"))
    if not isinstance(scores, list | tuple) or not all(isinstance(value, int | float) for value in scores):
        return None
    if not isinstance(answer, str) or not isinstance(logit, int | float) or not isinstance(seconds, int | float):
        return None
    evidence = Evidence(log_scores=tuple(map(float, scores)), answer=answer, affirm_logit=float(logit))
    return replace(evidence, seconds=float(seconds), cached=True)

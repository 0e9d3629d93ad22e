"""All questions of one query about a batch of looks, put to a judge; knows neither cache nor budget."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Judge, Views
from anomalylmm.rerank.evidence import Evidence, Questions, build_evidence, require_shape

Answer = Callable[[], list[Evidence]]  # waits for what is said about one batch, one for each look; may raise JudgeError
Begin = Callable[[Questions, Sequence[Sequence[Views]]], Sequence[Answer]]  # begins to ask, perhaps in other processes


def begin_here(judge: Judge, questions: Questions, batches: Sequence[Sequence[Views]]) -> list[Answer]:
    """Is a ``Begin`` that asks in this thread, each batch only when its answers are wanted."""
    return [partial(interview, judge, questions, batch) for batch in batches]


def interview(judge: Judge, questions: Questions, views: Sequence[Views]) -> list[Evidence]:
    """Asks all questions about N looks.

    Raises:
        JudgeError: The judge fails, or gives more or fewer answers than asked for.
    """
    started, number = time.perf_counter(), len(views)
    scores = np.zeros((number, 0))
    if questions.likelihood:
        scores = judge.score_answers(views, questions.cloze_prompt, questions.layout.answers)
        require_shape(scores, (number, len(questions.layout.answers)))
    written = judge.complete(views, questions.cloze_prompt) if questions.generate else [""] * number
    if len(written) != number:
        raise JudgeError(f"the judge gave {len(written)} answers for {number} candidates")
    logits = _affirm(judge, views, questions.affirm_prompt) if questions.affirm else np.zeros(number)
    facets = np.array([_affirm(judge, views, prompt) for prompt in questions.facet_prompts]).reshape(-1, number)
    seconds = (time.perf_counter() - started) / number
    return [
        build_evidence(row, answer=str(answer), affirm_logit=float(logit), facet_logits=facet, seconds=seconds)
        for row, answer, logit, facet in zip(scores, written, logits, facets.T.tolist(), strict=True)
    ]


def _affirm(judge: Judge, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
    logits = judge.affirm(views, prompt)
    require_shape(logits, (len(views),))
    return logits

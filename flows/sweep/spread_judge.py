"""The judge of a sweep: that of this process, or those of worker processes, which answer several batches at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import EngineError, JudgeError
from anomalylmm.protocols import Views
from anomalylmm.rerank.evidence import Questions
from anomalylmm.rerank.interview import Answer
from anomalylmm.rerank.stages import Adjudicator
from flows.composition import Composition
from flows.workers.engines import Engine, open_engine
from flows.workers.judging import Call, JudgeFacts, JudgeJob, answer, describe_judge, write_views
from flows.workers.spreading import Lost, wait_for
from storage.disk.identity import identify_store
from storage.disk.layout import StoreLayout

MANY = 1 << 20  # tasks, so that as many workers are started as the settings say
NOTHING = Call(method="complete", texts=())


@contextmanager
def open_spread(composition: Composition, layout: StoreLayout, folder: Path) -> Iterator[Adjudicator]:
    """Builds the three stages with the judges of the workers that the settings name.

    Args:
        composition: Has the settings, and the encoder that finds what to show.
        layout: The store.
        folder: For the pictures that are shown, on the same path for all workers.

    Raises:
        EngineError: The cluster can't be reached, or its workers do not fit this sweep.
    """
    settings = composition.settings
    with open_engine(settings, MANY) as engine:
        store, store_id = str(layout.root.absolute()), identify_store(layout)
        facts = wait_for(engine, engine.submit(describe_judge, store, store_id, settings))
        if isinstance(facts, Lost):
            raise EngineError(f"no worker of {engine.name} could load the judge: {facts.reason}; look at its log")
        job = JudgeJob(
            store=store, store_id=store_id, settings=settings, judge_id=facts.judge_id, asked=NOTHING, pictures=""
        )
        judge = SpreadJudge(engine, facts, job, folder)
        yield composition.build_adjudicator(judge, judge.begin)


class SpreadJudge:
    """Implements ``Judge`` and ``Begin`` by sending the questions to an engine; may be used by several threads."""

    def __init__(self, engine: Engine, facts: JudgeFacts, job: JudgeJob, folder: Path) -> None:
        """Remembers where to ask.

        Args:
            engine: Runs the jobs.
            facts: The judge that the workers have.
            job: What all jobs share.
            folder: For pictures.
        """
        self.judge_id, self.max_views, self.moment_way = facts.judge_id, facts.max_views, facts.moment_way
        self._engine, self._job, self._folder = engine, job, folder
        self._numbers = count()

    def begin(self, questions: Questions, batches: Sequence[Sequence[Views]]) -> list[Answer]:
        """Gives all batches to the engine; each result waits for one of them."""
        return [self._send(questions, batch) for batch in batches]

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer for each of N candidates."""
        return list(self._send(Call(method="complete", texts=(prompt,)), views)())

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt); shape (N, A)."""
        return np.asarray(self._send(Call(method="score_answers", texts=(prompt, tuple(answers))), views)())

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) without a picture; shape (A,)."""
        return np.asarray(self._send(Call(method="score_answers_blind", texts=(prompt, tuple(answers))))())

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Yes logit minus no logit; shape (N,)."""
        return np.asarray(self._send(Call(method="affirm", texts=(prompt,)), views)())

    def _send(self, asked: Questions | Call, views: Sequence[Views] = ()) -> Callable[[], Any]:
        path = self._folder / f"{next(self._numbers)}.npz"
        looks = write_views(path, views) if views else ()
        job = replace(self._job, asked=asked, pictures=str(path) if views else "", looks=looks)
        return partial(self._wait, self._engine.submit(answer, job), path)

    def _wait(self, future: Any, path: Path) -> Any:
        result = wait_for(self._engine, future)
        path.unlink(missing_ok=True)
        if isinstance(result, Lost):
            raise JudgeError(result.reason)
        return result

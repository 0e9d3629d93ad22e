"""Measures what a variant costs as if it were alone: what it shares with others counts with its first cost."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.protocols import Judge, PatchTextMapper, Views
from anomalylmm.records import Floats, Image
from flows.evaluate.ablation.answer_cache import Spent


class TimedJudge:
    """A judge with a stopwatch."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seconds, self._tokens_before = 0.0, 0
        self.counts_tokens = hasattr(judge, "num_tokens")
        self.judge_id, self.max_views = judge.judge_id, judge.max_views

    def take_spent(self) -> Spent:
        """Gives what it cost since the last time it was asked; no tokens where the judge does not count them."""
        tokens = int(getattr(self._judge, "num_tokens", 0))
        spent = Spent(seconds=self._seconds, tokens=tokens - self._tokens_before)
        self._seconds, self._tokens_before = 0.0, tokens
        return spent

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates."""
        return self._timed(lambda: self._judge.complete(views, prompt))

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt); shape (N, A)."""
        return self._timed(lambda: self._judge.score_answers(views, prompt, answers))

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) without a picture; shape (A,)."""
        return self._timed(lambda: self._judge.score_answers_blind(prompt, answers))

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Yes logit minus no logit; shape (N,)."""
        return self._timed(lambda: self._judge.affirm(views, prompt))

    def _timed(self, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return ask()
        finally:
            self._seconds += time.perf_counter() - began


class OneQueryMapper:
    """Remembers the patch maps of one query's pictures, which several variants ask for; pictures go by identity."""

    def __init__(self, mapper: PatchTextMapper) -> None:
        self._mapper = mapper
        self._known: dict[tuple[int, str], tuple[Floats, float]] = {}
        self._seconds = 0.0

    def forget(self) -> None:
        """Begins another query."""
        self._known.clear()

    def take_seconds(self) -> float:
        """Gives what the maps cost that were asked for since the last time, remembered ones too."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Gives the maps of N images; shape (N, rows, columns)."""
        missing = [image for image in images if (id(image), text) not in self._known]
        if missing:
            began = time.perf_counter()
            maps = self._mapper.patch_maps(missing, text)
            each = (time.perf_counter() - began) / len(missing)
            self._known |= {(id(image), text): (found, each) for image, found in zip(missing, maps, strict=True)}
        found = [self._known[id(image), text] for image in images]
        self._seconds += sum(seconds for _, seconds in found)
        return np.stack([values for values, _ in found])

"""Stand-ins for hostile inputs: a decoder that decodes nothing, a judge that says what it is told."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.protocols import Views
from flows.settings.model import Settings
from tests.drawn import FPS, DrawnSession, DrawnSource, SmallComposition
from tests.fakes import ColorJudge

SECONDS = 1.0


class AnySource(DrawnSource):
    """Opens any file that can be read, and draws the same picture whatever it holds."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one."""
        with path.open("rb") as file:
            file.read(1)
        return DrawnSession([("red", 0, SECONDS)], SECONDS)


class DrawnComposition(SmallComposition):
    """Stand-ins throughout, so that many files are indexed at once."""

    def __init__(self, settings: Settings | None = None, judge: Any = None) -> None:
        own = {"decode": {"sample_fps": FPS}, "archive": {"include": ["*.mp4"]}}  # hidden names are tried, too
        super().__init__(settings or Settings.model_validate(own), AnySource())
        self._judge = judge

    @cached_property
    def judge(self) -> Any:
        """The judge given, or the one that knows colors."""
        return self._judge or ColorJudge()


class ToldJudge(ColorJudge):
    """Writes a text and gives numbers that it is told; remembers what it was asked."""

    judge_id = "told-judge@1"

    def __init__(self, written: Any = "", numbers: Callable[[tuple[int, ...]], Any] | None = None) -> None:
        super().__init__()
        self.written, self.numbers = written, numbers
        self.prompts: list[str] = []

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes what it is told."""
        self.prompts.append(prompt)
        return self.written(len(views)) if callable(self.written) else [self.written] * len(views)

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> Any:
        """Gives the numbers told, or sensible ones."""
        self.prompts.append(prompt)
        if self.numbers:
            return self.numbers((len(views), len(answers)))
        return super().score_answers(views, prompt, answers)

    def affirm(self, views: Sequence[Views], prompt: str) -> Any:
        """Gives the numbers told, or says yes."""
        self.prompts.append(prompt)
        return self.numbers((len(views),)) if self.numbers else np.full(len(views), 4.0)

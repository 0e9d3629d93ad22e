"""Stand-in models for evaluations, and what their tests ask for."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Views
from anomalylmm.records import Floats, Image
from flows.evaluate.running import EvaluationReport, EvaluationRequest
from flows.settings.model import load_settings
from tests.fakes import ColorEncoder, ColorJudge, FakeComposition


class CountingEncoder(ColorEncoder):
    """Counts the pictures it encodes."""

    def __init__(self) -> None:
        self.num_encoded = 0

    def encode_images(self, images: Sequence[Image]) -> Floats:
        self.num_encoded += len(images)
        return super().encode_images(images)


class FallJudge(ColorJudge):
    """Sees a fall in broad blocks: picture 3 is 3 pixels broader than picture 0. Can be made to stop or to fail."""

    judge_id = "fall-judge@1"

    def __init__(self) -> None:
        super().__init__()
        self.stops_after: int | None = None
        self.fails = False

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        if self.fails:
            raise JudgeError("out of memory")
        if self.stops_after is not None and self.calls >= self.stops_after:
            raise KeyboardInterrupt
        self.calls += len(views)
        return np.array([[_likelihood(view[0], answer) for answer in answers] for view in views])


def _likelihood(image: Image, answer: str) -> float:
    broad = (image.max(axis=2).astype(int) - image.min(axis=2) > 60).any(axis=0).sum() > 13
    seen = "falling" if broad else "walking"
    return -10.0 + 4.0 * (seen in answer)


class Fakes(FakeComposition):
    """The stand-ins of these tests."""

    @cached_property
    def encoder(self) -> Any:
        return CountingEncoder()

    @cached_property
    def judge(self) -> Any:
        return FallJudge()


def compose() -> Fakes:
    return Fakes(load_settings("pocket", environment={}))


def request(tmp_path: Path, **more: Any) -> EvaluationRequest:
    return EvaluationRequest(**{"benchmark": "pab", "root": tmp_path / "data", "out": tmp_path / "out", **more})


def row_of(report: EvaluationReport, name: str) -> dict[str, Any]:
    return next(row for row in report.document["variants"] if row["name"] == name)


TWINS = {
    "twin": [3, 4, None, 0, 1],
    "held_out": [False, True, False, False, True],
    "behavior": ["walking", "walking", "walking", "falling", "lying"],
}

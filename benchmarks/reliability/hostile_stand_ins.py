"""Stand-ins for hostile inputs: a decoder that decodes nothing, judges that say what they are told."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.protocols import Views
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import DecodeReport, FrameBatch, VideoHeader
from flows.settings.model import Settings
from tests.fakes import SIZE, ColorJudge, FakeComposition, draw

LEXICON = Lexicon.load()
SECONDS, FPS = 1.0, 4.0


class DrawnSession:
    """One pass over pictures that are drawn, whatever the file holds."""

    header = VideoHeader(
        width_px=SIZE[0],
        height_px=SIZE[1],
        num_frames_from_header=4,
        duration_seconds_from_header=SECONDS,
        average_fps=FPS,
        codec="h264",
    )
    report = DecodeReport(
        status="complete", decoder="pyav", num_frames=4, seconds_promised=SECONDS, seconds_decoded=SECONDS
    )

    def __iter__(self) -> Iterator[FrameBatch]:
        times = tuple(np.arange(0, SECONDS, 1 / FPS).tolist())
        yield FrameBatch(images=tuple(draw([("red", 0, SECONDS)], at, 8.0) for at in times), pts_seconds=times)

    def close(self) -> None:
        """Nothing to end."""


class DrawnSource:
    """Opens any file that can be read."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:  # noqa: ARG002 - the protocol's
        with path.open("rb") as file:
            file.read(1)
        return DrawnSession()


class DrawnComposition(FakeComposition):
    """Stand-ins throughout, so that many files are indexed at once."""

    def __init__(self, settings: Settings | None = None, judge: Any = None) -> None:
        super().__init__(settings or Settings.model_validate({"decode": {"sample_fps": FPS}}))
        self._judge = judge

    @cached_property
    def lexicon(self) -> Lexicon:
        """One for all, since it takes a while to read."""
        return LEXICON

    @cached_property
    def source(self) -> Any:
        """No decoder."""
        return DrawnSource()

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

"""A small archive and models that take milliseconds, so that the store is what is tried; loads no torch."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import VideoError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import DecodeReport, Detections, FrameBatch, Image, VideoHeader
from flows.settings.model import Settings
from tests.fakes import SIZE, FakeComposition, draw, write_video

LEXICON = Lexicon.load()
SECONDS, FPS = 3.0, 4.0
Blocks = tuple[tuple[str, float, float], ...]  # color, start and stop seconds
ARCHIVE: dict[str, Blocks] = {
    "gate/2026-03-14/10-00-00.mp4": (("red", 0, 3), ("blue", 1, 3)),
    "gate/2026-03-14/11-00-00.mp4": (("green", 0, 2),),
    "gate/2026-03-15/10-00-00.mp4": (("red", 0, 3),),
    "yard/2026-03-14/10-00-00.mp4": (("green", 0, 3), ("red", 0, 2)),
}
BROKEN = "yard/2026-03-14/11-00-00.mp4"
QUERY = '[[query]]\nname = "{color}"\ntext = "a person in a {color} jacket walking"\nfloor = -10\naccept = 0.5\n'


class DrawnSession:
    """Draws what a file says instead of decoding it."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._times = tuple(number / FPS for number in range(int(SECONDS * FPS)))
        width, height = SIZE
        self.header = VideoHeader(
            width_px=width,
            height_px=height,
            num_frames_from_header=len(self._times),
            duration_seconds_from_header=SECONDS,
            average_fps=FPS,
            codec="drawn",
        )
        self.report = DecodeReport(
            status="complete",
            decoder="pyav",
            num_frames=len(self._times),
            seconds_promised=SECONDS,
            seconds_decoded=SECONDS,
        )

    def __iter__(self) -> Iterator[FrameBatch]:
        """Gives a few frames at a time."""
        for start in range(0, len(self._times), 4):
            times = self._times[start : start + 4]
            yield FrameBatch(images=tuple(draw(self._blocks, at, SECONDS) for at in times), pts_seconds=times)

    def close(self) -> None:
        """Has nothing to end."""


class DrawnSource:
    """Opens files that hold JSON in place of video."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:  # noqa: ARG002 - the protocol's
        """Opens one.

        Raises:
            VideoError: It holds no JSON.
        """
        try:
            return DrawnSession(tuple(tuple(block) for block in json.loads(path.read_text())))
        except ValueError as error:
            raise VideoError(f"{path} can't be decoded: {error}") from error


class LaneTracker:
    """Tells blocks apart by the lane they walk in."""

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:  # noqa: ARG002 - the protocol's
        """Gives each its lane."""
        return (detections.boxes_xyxy_px[:, 1] // 70).astype(np.int64)


class SmallComposition(FakeComposition):
    """Stand-ins for all models, and for the decoder too unless it is asked for."""

    def __init__(self, settings: Settings, *, decodes: bool = False) -> None:
        super().__init__(settings)
        self._decodes = decodes

    @cached_property
    def source(self) -> Any:
        """The real decoder in its own process, or none."""
        return FakeComposition.source.func(self) if self._decodes else DrawnSource()  # type: ignore[attr-defined]

    @cached_property
    def lexicon(self) -> Lexicon:
        """One for all, read before any process is forked."""
        return LEXICON

    def build_tracker(self) -> Any:
        """No tracker of ultralytics: it would load torch."""
        return LaneTracker()


def compose_small(*, decodes: bool = False) -> SmallComposition:
    """Builds the stand-ins; one video a shard at most two."""
    return SmallComposition(
        Settings.model_validate({"decode": {"sample_fps": FPS}, "gate": {"enabled": False}}), decodes=decodes
    )


def write_archive(folder: Path, *, decodes: bool = False, videos: dict[str, Blocks] | None = None) -> Path:
    """Writes the archive, with one broken file in it."""
    for name, blocks in (videos or ARCHIVE).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if decodes:
            write_video(path, blocks, seconds=SECONDS)
        else:
            path.write_text(json.dumps(blocks))
    (folder / BROKEN).parent.mkdir(parents=True, exist_ok=True)
    (folder / BROKEN).write_bytes(b"no video at all")
    return folder


def write_queries(path: Path, colors: Sequence[str] = ("red", "green")) -> Path:
    """Writes one saved query a color."""
    path.write_text("\n".join(QUERY.format(color=color) for color in colors))
    return path

"""A small archive whose videos are drawn instead of decoded, and models that take milliseconds; loads no torch."""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import VideoError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import DecodeReport, Detections, FrameBatch, Image, Video, VideoHeader
from flows.settings.model import Settings
from tests.fakes import SIZE, FakeComposition, draw, write_video

LEXICON = Lexicon.load()
SECONDS, FPS = 3.0, 4.0
BATCH_FRAMES = 4
Blocks = Sequence[tuple[str, float, float]]  # color, start and stop seconds
ARCHIVE: dict[str, Blocks] = {
    "gate/2026-03-14/10-00-00.mp4": (("red", 0, 3), ("blue", 1, 3)),
    "gate/2026-03-14/11-00-00.mp4": (("green", 0, 2),),
    "gate/2026-03-15/10-00-00.mp4": (("red", 0, 3),),
    "yard/2026-03-14/10-00-00.mp4": (("green", 0, 3), ("red", 0, 2)),
}
BROKEN = "yard/2026-03-14/11-00-00.mp4"
QUERY = '[[query]]\nname = "{color}"\ntext = "a person in a {color} jacket walking"\nfloor = -10\naccept = 0.5\n'
_NOISE = 7
VIDEO = Video(
    video_id="v",
    path="gate/a.mp4",
    camera="gate",
    size_bytes=9,
    start_utc=datetime(2026, 3, 14, 12, tzinfo=UTC),
    clock_source="file_time",
    time_zone="UTC",
)


class DrawnSession:
    """Draws blocks instead of decoding a file; noise of a seed makes no two videos have the same JPEG."""

    def __init__(self, blocks: Blocks, seconds: float = SECONDS, seed: int | None = None) -> None:
        self._blocks, self._seconds, self._seed = blocks, seconds, seed
        self._times = tuple(number / FPS for number in range(int(seconds * FPS)))
        width, height = SIZE
        self.header = VideoHeader(
            width_px=width,
            height_px=height,
            num_frames_from_header=len(self._times),
            duration_seconds_from_header=seconds,
            average_fps=FPS,
            codec="drawn",
        )
        self.report = DecodeReport(
            status="complete",
            decoder="pyav",
            num_frames=len(self._times),
            seconds_promised=seconds,
            seconds_decoded=seconds,
        )

    def __iter__(self) -> Iterator[FrameBatch]:
        """Gives a few frames at a time."""
        rng = np.random.default_rng(self._seed)
        for start in range(0, len(self._times), BATCH_FRAMES):
            times = self._times[start : start + BATCH_FRAMES]
            images = [draw(self._blocks, at, self._seconds) for at in times]
            if self._seed is not None:
                noise = [rng.integers(-_NOISE, _NOISE, image.shape) for image in images]
                pairs = zip(images, noise, strict=True)
                images = [np.clip(image + more, 0, 255).astype(np.uint8) for image, more in pairs]
            yield FrameBatch(images=tuple(images), pts_seconds=times)

    def close(self) -> None:
        """Has nothing to end."""


class DrawnSource:
    """Opens files that hold JSON in place of video."""

    def __init__(self, *, noisy: bool = False) -> None:
        self._noisy = noisy

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one.

        Raises:
            VideoError: It holds no JSON.
        """
        try:
            blocks = json.loads(path.read_text())["blocks"]
        except ValueError as error:
            raise VideoError(f"{path} can't be decoded: {error}") from error
        return DrawnSession(blocks, seed=zlib.crc32(path.name.encode()) if self._noisy else None)

    def keep_open(self) -> AbstractContextManager[Any]:
        """Gives itself: there is no process to share."""
        return nullcontext(self)


class LaneTracker:
    """Tells blocks apart by the lane they walk in."""

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        """Gives each its lane."""
        return (detections.boxes_xyxy_px[:, 1] // 70).astype(np.int64)


class SmallComposition(FakeComposition):
    """Stand-ins for all models, and for the decoder too unless none is given."""

    def __init__(self, settings: Settings, source: Any = None) -> None:
        super().__init__(settings)
        self._source = source

    @cached_property
    def source(self) -> Any:
        """The source given, or the real decoder in its own process."""
        return self._source or FakeComposition.source.func(self)  # type: ignore[attr-defined]

    @cached_property
    def lexicon(self) -> Lexicon:
        """One for all, read before any process is forked."""
        return LEXICON

    def build_tracker(self) -> Any:
        """A tracker that knows the lanes."""
        return LaneTracker()


def compose_small(*, decodes: bool = False, noisy: bool = False, **sections: Any) -> SmallComposition:
    """Builds the stand-ins with some settings changed."""
    fixed = {"decode": {"sample_fps": FPS}, "gate": {"enabled": False}}
    settings = Settings.model_validate({**fixed, **sections})
    return SmallComposition(settings, None if decodes else DrawnSource(noisy=noisy))


def write_archive(
    folder: Path, *, decodes: bool = False, videos: dict[str, Blocks] = ARCHIVE, broken: str = BROKEN
) -> Path:
    """Writes the archive, with one broken file in it; each file has content of its own, so none is a duplicate."""
    for name, blocks in videos.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if decodes:
            write_video(path, blocks, seconds=SECONDS)
        else:
            path.write_text(json.dumps({"blocks": blocks, "name": name}))
    (folder / broken).parent.mkdir(parents=True, exist_ok=True)
    (folder / broken).write_bytes(b"no video at all")
    return folder


def write_queries(path: Path, colors: Sequence[str] = ("red", "green")) -> Path:
    """Writes one saved query a color."""
    path.write_text("\n".join(QUERY.format(color=color) for color in colors))
    return path

"""Decoding videos one after another; the next is opened before one ends."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import VideoError
from anomalylmm.records import DecodeReport, FrameBatch, Video, VideoHeader
from flows.index.cropping import VideoEnd, VideoFrames, iter_decoded

FRAME = np.zeros((8, 8, 3), np.uint8)


def video(name: str) -> Video:
    return Video(
        video_id=name,
        path=f"{name}.mp4",
        camera="gate",
        size_bytes=9,
        start_utc=datetime(2026, 3, 14, tzinfo=UTC),
        clock_source="file_time",
        time_zone="UTC",
    )


class Session:
    """A video with one frame per second that logs what is done with it."""

    def __init__(self, name: str, seconds: int, promised: float, log: list[str]) -> None:
        self.header = VideoHeader(
            width_px=8,
            height_px=8,
            num_frames_from_header=seconds,
            duration_seconds_from_header=promised,
            average_fps=1.0,
            codec="h264",
        )
        self._name, self._seconds, self._log = name, seconds, log
        log.append(f"open {name}")

    def __iter__(self) -> Iterator[FrameBatch]:
        for second in range(self._seconds):
            if self._name == "a" and second == 55 and self.header.duration_seconds_from_header:
                self._wait_for_the_next()
            self._log.append(f"{self._name} {second}")
            yield FrameBatch(images=(FRAME,), pts_seconds=(float(second),))

    def _wait_for_the_next(self) -> None:
        began = time.monotonic()
        while sum(line.startswith("ask") for line in self._log) < 2 and time.monotonic() - began < 60:
            time.sleep(0.01)

    @property
    def report(self) -> DecodeReport:
        return DecodeReport(
            status="complete", decoder="pyav", num_frames=self._seconds, seconds_promised=60.0, seconds_decoded=60.0
        )

    def close(self) -> None:
        self._log.append(f"close {self._name}")


class Source:
    """Opens sessions by name; a video called ``broken`` can't be opened."""

    def __init__(self, promised: float = 60.0) -> None:
        self.log: list[str] = []
        self._promised = promised

    def open_session(self, path: Path, *, sample_fps: float) -> Session:
        self.log.append(f"ask {path.stem}")
        if path.stem == "broken":
            raise VideoError("it is broken")
        return Session(path.stem, 60, self._promised, self.log)


def decode(source: Source, *names: str) -> Generator[VideoFrames | VideoEnd, None, None]:
    return iter_decoded([video(name) for name in names], Path("/nowhere"), source, 1.0)


@pytest.mark.parametrize(("promised", "early"), [(60.0, True), (0.0, False)])
def test_the_next_video_is_opened_in_the_last_seconds_of_one(promised: float, early: bool) -> None:
    source = Source(promised)
    items = list(decode(source, "a", "b"))
    assert [item.video.video_id for item in items] == ["a"] * 61 + ["b"] * 61
    asked, log = source.log.index("ask b"), source.log
    assert (log.index("a 50") < asked < log.index("close a")) == early
    assert early or log.index("close a") < asked
    assert log[-1] == "close b"


def test_a_video_that_cannot_be_opened_does_not_affect_the_others() -> None:
    ends = [item for item in decode(Source(), "a", "broken", "b") if isinstance(item, VideoEnd)]
    assert [(end.video.video_id, end.error) for end in ends] == [("a", ""), ("broken", "it is broken"), ("b", "")]


def test_stopping_early_closes_everything() -> None:
    source = Source()
    with closing(decode(source, "a", "b")) as decoded:
        for item in decoded:
            if isinstance(item, VideoFrames) and item.batch.pts_seconds == (57.0,):
                break
    assert {"close a", "open b", "close b"} <= set(source.log)

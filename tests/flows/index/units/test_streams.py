"""Decoding the videos of a unit: one after another, and joined where they follow each other in time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import VideoError
from anomalylmm.records import ClockSource, DecodeReport, DecodeStatus, FrameBatch, Video, VideoHeader
from flows.index.units.streams import Frames, VideoEnd, find_shift, iter_frames

FRAME = np.zeros((8, 8, 3), np.uint8)
MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC)
SECONDS = 10


def video(name: str, start: float = 0.0, source: ClockSource = "path_pattern", **changes: object) -> Video:
    return Video(
        video_id=name,
        path=f"{name}.mp4",
        camera="gate",
        size_bytes=9,
        start_utc=MIDNIGHT + timedelta(seconds=start),
        clock_source=source,
        time_zone="UTC",
        **changes,  # type: ignore[arg-type]
    )


def header(width: int = 8) -> VideoHeader:
    return VideoHeader(
        width_px=width,
        height_px=8,
        num_frames_from_header=SECONDS,
        duration_seconds_from_header=SECONDS,
        average_fps=1.0,
        codec="h264",
    )


def report(status: DecodeStatus = "complete") -> DecodeReport:
    return DecodeReport(
        status=status, decoder="pyav", num_frames=SECONDS, seconds_promised=SECONDS, seconds_decoded=SECONDS
    )


class Session:
    """A video with one frame per second."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.header, self.report = header(), report()
        self._name, self._log = name, log
        log.append(f"open {name}")

    def __iter__(self) -> Iterator[FrameBatch]:
        for second in range(SECONDS):
            yield FrameBatch(images=(FRAME,), pts_seconds=(float(second),))

    def close(self) -> None:
        self._log.append(f"close {self._name}")


class Source:
    """Opens sessions by name; a video called ``broken`` can't be opened."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def open_session(self, path: Path, *, sample_fps: float) -> Session:
        if path.stem == "broken":
            raise VideoError("it is broken")
        return Session(path.stem, self.log)

    def keep_open(self) -> AbstractContextManager["Source"]:
        return nullcontext(self)


def decode(*videos: Video) -> list[Frames]:
    return list(iter_frames(videos, Path("/nowhere"), Source(), 1.0))


def ends(frames: list[Frames]) -> list[tuple[str, bool]]:
    return [(item.video.video_id, item.ends_stream) for item in frames if item.end is not None]


def test_one_video_is_open_at_a_time_and_each_has_one_end() -> None:
    source = Source()
    items = list(iter_frames([video("a"), video("b", 100)], Path("/nowhere"), source, 1.0))
    assert [item.video.video_id for item in items if item.batch.images] == ["a"] * SECONDS + ["b"] * SECONDS
    assert ends(items) == [("a", True), ("b", True)]
    assert source.log == ["open a", "close a", "open b", "close b"]


def test_a_video_that_cannot_be_opened_does_not_affect_the_others() -> None:
    items = decode(video("a"), video("broken", 100), video("b", 200))
    told = {item.end.video.video_id: item.end.error for item in items if item.end}
    assert told == {"a": "", "broken": "it is broken", "b": ""}


def test_stopping_early_closes_what_is_open() -> None:
    source = Source()
    with closing(iter_frames([video("a"), video("b")], Path("/nowhere"), source, 1.0)) as decoded:
        next(decoded)
    assert source.log == ["open a", "close a"]


def test_videos_that_follow_each_other_are_one_stream_in_one_time() -> None:
    items = decode(video("a"), video("b", 10), video("c", 21.5), video("d", 40))
    assert ends(items) == [("a", False), ("b", False), ("c", True), ("d", True)]
    shifts = {item.video.video_id: item.shift_seconds for item in items}
    assert shifts == {"a": 0.0, "b": 10.0, "c": 21.5, "d": 0.0}


def test_a_broken_piece_in_the_middle_ends_the_stream_if_it_leaves_a_gap() -> None:
    items = decode(video("a"), video("broken", 10), video("b", 20), video("c", 30))
    assert sorted(ends(items)) == [("a", True), ("b", False), ("broken", False), ("c", True)]


def after(last: Video, status: DecodeStatus = "complete", last_seconds: float = 9.0, shift: float = 0.0) -> Frames:
    end = VideoEnd(video=last, header=header(), report=report(status))
    return Frames(video=last, end=end, shift_seconds=shift)


@pytest.mark.parametrize(
    ("start", "shift"),
    [(8.9, None), (9.0, 110.0), (10.0, 110.0), (11.0, 110.0), (11.5, 111.5), (12.0, 112.0), (12.1, None), (0.0, None)],
)
def test_a_second_is_rounding_and_two_are_a_gap_at_most(start: float, shift: float | None) -> None:
    assert find_shift(after(video("a"), shift=100.0), 9.0, video("b", start), header()) == shift


def test_what_was_not_decoded_of_the_last_video_is_a_gap() -> None:
    cut = after(video("a"), "partial")
    assert find_shift(cut, 4.0, video("b", 10), header()) is None
    assert find_shift(cut, 9.5, video("b", 10), header()) == 9.5


@pytest.mark.parametrize(
    ("last", "this"),
    [
        (video("a", source="file_end"), video("b", 10)),
        (video("a"), video("b", 10, source="file_time")),
        (video("a"), video("b", 10, grown_from=("c",))),
    ],
)
def test_guessed_starts_and_grown_files_begin_a_stream(last: Video, this: Video) -> None:
    assert find_shift(after(last), 9.0, this, header()) is None


def test_another_size_of_picture_begins_a_stream() -> None:
    assert find_shift(after(video("a")), 9.0, video("b", 10), header(16)) is None


def test_nothing_goes_on_with_nothing() -> None:
    assert find_shift(None, 0.0, video("a"), header()) is None


def test_a_video_ends_before_the_next_one_is_told_of_even_if_that_is_broken() -> None:
    frames = decode(video("first"), video("broken", 1000.0), video("second", 2000.0))
    order = list(dict.fromkeys(item.video.video_id for item in frames))
    assert order == ["first", "broken", "second"]
    assert [item.video.video_id for item in frames] == sorted((item.video.video_id for item in frames), key=order.index)
    assert ends(frames)[0] == ("first", True)

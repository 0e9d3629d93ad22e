"""What every ``ClipCutter`` promises."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import VideoError
from anomalylmm.protocols import ClipCutter
from anomalylmm.records import Image

TIMES = [3.0, 3.1, 3.25, 3.5, 3.75, 4.5, 5.0]  # of a camera whose pace changes


def iter_pictures() -> Iterator[tuple[Image, float]]:
    """Yields pictures that get redder from frame to frame."""
    for number, pts_seconds in enumerate(TIMES):
        yield np.full((48, 64, 3), (60 + 25 * number, 40, 40), np.uint8), pts_seconds


@pytest.fixture
def piece(cutter: ClipCutter, tmp_path: Path) -> Path:
    path = tmp_path / "piece.mp4"
    assert cutter.write(path, iter_pictures()) == len(TIMES)
    return path


def test_what_was_written_is_read_with_the_same_steps_of_time(cutter: ClipCutter, piece: Path) -> None:
    times = [pts_seconds for _, pts_seconds in cutter.iter_frames(piece, 0.0, 100.0)]
    assert np.diff(times) == pytest.approx(np.diff(TIMES), abs=1e-3)


def test_frames_are_rgb_pictures_in_order(cutter: ClipCutter, piece: Path) -> None:
    images = [image for image, _ in cutter.iter_frames(piece, 0.0, 100.0)]
    assert {(image.shape, str(image.dtype)) for image in images} == {((48, 64, 3), "uint8")}
    reds = [float(image[..., 0].mean()) for image in images]
    assert reds == pytest.approx([60 + 25 * number for number in range(len(TIMES))], abs=8)
    assert all(float(image[..., 2].mean()) < 60 for image in images)


def test_a_piece_has_its_first_and_last_moment(cutter: ClipCutter, piece: Path) -> None:
    whole = [pts_seconds for _, pts_seconds in cutter.iter_frames(piece, 0.0, 100.0)]
    part = [pts_seconds for _, pts_seconds in cutter.iter_frames(piece, whole[2], whole[4])]
    assert part == pytest.approx(whole[2:5], abs=1e-3)


def test_closing_early_ends_it(cutter: ClipCutter, piece: Path) -> None:
    frames = cutter.iter_frames(piece, 0.0, 100.0)
    next(frames)
    frames.close()
    assert list(frames) == []


@pytest.mark.parametrize(("start", "stop"), [(50.0, 60.0), (0.8, 1.2)])
def test_a_piece_where_there_is_no_frame_is_an_error(
    cutter: ClipCutter, piece: Path, start: float, stop: float
) -> None:
    with pytest.raises(VideoError):
        list(cutter.iter_frames(piece, start, stop))


def test_a_file_that_is_no_video_is_named(cutter: ClipCutter, tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear archive, ")
    with pytest.raises(VideoError, match=r"letter\.mp4"):
        list(cutter.iter_frames(path, 0.0, 1.0))


def test_nothing_to_write_is_an_error(cutter: ClipCutter, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"empty\.mp4"):
        cutter.write(tmp_path / "empty.mp4", iter(()))


def test_a_place_that_is_not_there_is_an_error(cutter: ClipCutter, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"piece\.mp4"):
        cutter.write(tmp_path / "missing" / "piece.mp4", iter_pictures())

"""What every ``ClipCutter`` promises."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import VideoError
from anomalylmm.footage.edits import FrameEdit
from anomalylmm.models.video.children.clip_writing import write_frames
from anomalylmm.protocols import ClipCutter
from anomalylmm.records import Image
from tests.conformance.fakes import FakeCutter, keep_frames

TIMES = [3.0, 3.1, 3.25, 3.5, 3.75, 4.5, 5.0]  # of a camera whose pace changes


def iter_pictures() -> Iterator[tuple[Image, float]]:
    """Yields pictures that get redder from frame to frame."""
    for number, pts_seconds in enumerate(TIMES):
        yield np.full((48, 64, 3), (60 + 25 * number, 40, 40), np.uint8), pts_seconds


@pytest.fixture
def piece(cutter: ClipCutter, tmp_path: Path) -> Path:
    path = tmp_path / "piece.mp4"
    write = keep_frames if isinstance(cutter, FakeCutter) else write_frames
    assert write(path, iter_pictures(), {"crf": "20"}) == len(TIMES)
    return path


def look(cutter: ClipCutter, path: Path) -> tuple[list[Image], list[float]]:
    images, times = zip(*cutter.iter_frames(path, 0.0, 100.0), strict=True)
    return list(images), list(times)


def test_a_clip_has_the_piece_from_its_first_to_its_last_moment(
    cutter: ClipCutter, piece: Path, tmp_path: Path
) -> None:
    times = look(cutter, piece)[1]
    assert np.diff(times) == pytest.approx(np.diff(TIMES), abs=1e-3)
    rendered = cutter.render(piece, times[2], times[5], tmp_path / "clip.mp4")
    assert rendered == (pytest.approx(times[2]), pytest.approx(times[5]), 4)
    assert np.diff(look(cutter, tmp_path / "clip.mp4")[1]) == pytest.approx(np.diff(times[2:6]), abs=1e-3)


def test_a_clip_has_only_the_frames_that_have_an_edit_and_what_it_draws(
    cutter: ClipCutter, piece: Path, tmp_path: Path
) -> None:
    times = look(cutter, piece)[1]
    edits = {times[1]: FrameEdit(), times[3]: FrameEdit(framed=(0.25, 0.125, 0.75, 0.625))}
    assert cutter.render(piece, 0.0, 100.0, tmp_path / "clip.mp4", edits)[2] == 2
    (plain, framed), _ = look(cutter, tmp_path / "clip.mp4")
    assert int(np.ptp(plain[..., 1].astype(int))) < 40
    assert int(framed[8, 32, 1]) > 100
    assert int(framed[24, 32, 1]) < 80


def test_frames_are_as_small_as_asked(cutter: ClipCutter, piece: Path) -> None:
    image, _ = next(cutter.iter_frames(piece, 0.0, 100.0, 32))
    assert image.shape == (24, 32, 3)


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
    with pytest.raises(VideoError):
        cutter.render(piece, start, stop, piece.with_name("clip.mp4"))


def test_a_file_that_is_no_video_is_named(cutter: ClipCutter, tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear archive, ")
    with pytest.raises(VideoError, match=r"letter\.mp4"):
        list(cutter.iter_frames(path, 0.0, 1.0))
    with pytest.raises(VideoError, match=r"letter\.mp4"):
        cutter.render(path, 0.0, 1.0, tmp_path / "clip.mp4")


def test_a_place_that_is_not_there_is_an_error(cutter: ClipCutter, piece: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"clip\.mp4"):
        cutter.render(piece, 0.0, 100.0, tmp_path / "missing" / "clip.mp4")

"""What every ``FrameSource`` promises."""

import itertools
from pathlib import Path

import pytest

from anomalylmm.errors import VideoError
from anomalylmm.protocols import FrameSource


def test_every_sampled_time_comes_once_and_in_order(source: FrameSource, clip: Path) -> None:
    session = source.open_session(clip, sample_fps=2.0)
    times = [time for batch in session for time in batch.pts_seconds]
    assert times == pytest.approx([step / 2 for step in range(12)], abs=0.06)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


def test_frames_are_rgb_pictures_of_the_promised_size(source: FrameSource, clip: Path) -> None:
    session = source.open_session(clip, sample_fps=1.0)
    for batch in session:
        for image in batch.images:
            assert image.shape == (session.header.height_px, session.header.width_px, 3)
            assert image.dtype == "uint8"


def test_the_report_of_a_whole_video_is_complete(source: FrameSource, clip: Path) -> None:
    session = source.open_session(clip, sample_fps=2.0)
    count = sum(len(batch.images) for batch in session)
    assert session.report.status == "complete"
    assert session.report.num_frames == count
    assert session.report.coverage == pytest.approx(1.0, abs=0.02)


def test_closing_early_and_twice_ends_the_iteration(source: FrameSource, clip: Path) -> None:
    session = source.open_session(clip, sample_fps=10.0)
    next(iter(session))
    session.close()
    session.close()
    assert session.report.num_frames < 60


def test_a_file_that_is_no_video_is_named(source: FrameSource, tmp_path: Path) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear archive, ")
    with pytest.raises(VideoError, match=r"letter\.mp4"):
        source.open_session(path, sample_fps=1.0)

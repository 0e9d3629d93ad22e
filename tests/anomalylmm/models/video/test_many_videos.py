"""One decoding process reads many videos: what happens to one costs the others nothing."""

import os
import signal
from pathlib import Path

import pytest

from anomalylmm.errors import VideoError
from anomalylmm.models.video import frames
from anomalylmm.models.video.frames import ChildSession
from tests.adapters import build_source
from tests.anomalylmm.models.video.clips import damage, every, write_clip


def read(source: frames.VideoSource, path: Path) -> ChildSession:
    session = source.open_session(path, sample_fps=5.0)
    for _ in session:
        pass
    return session


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", times_ms=every(20))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More frames than decoder and connection hold, so that the process is at work when it is disturbed."""
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", times_ms=every(150), size=(640, 480))


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_one_process_reads_all_and_ends_with_the_last(clip: Path, tmp_path: Path, decoder: str) -> None:
    other = write_clip(tmp_path / "other.mkv", times_ms=every(30))
    with build_source(decoder=decoder).keep_open() as source:
        sessions = [read(source, path) for path in (clip, other, clip)]
        assert len({session.process_id for session in sessions}) == 1
    assert [session.report.num_frames for session in sessions] == [10, 15, 10]
    assert {(session.report.status, session.report.decoder) for session in sessions} == {("complete", decoder)}
    assert not Path(f"/proc/{sessions[0].process_id}").exists()


def test_damage_is_not_put_down_to_the_next_video(clip: Path, tmp_path: Path) -> None:
    hurt = damage(write_clip(tmp_path / "hurt.mp4", times_ms=every(200), size=(640, 480)), count=2000)
    with build_source().keep_open() as source:
        first, second = read(source, hurt), read(source, clip)
    assert (first.report.status, second.report.status, second.report.message) == ("partial", "complete", "")


def test_what_is_no_video_costs_only_itself(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    with build_source().keep_open() as source:
        read(source, clip)
        with pytest.raises(VideoError, match=r"text\.mp4"):
            source.open_session(tmp_path / "text.mp4", sample_fps=5.0)
        assert read(source, clip).report.status == "complete"


def test_a_process_that_dies_between_two_videos_is_replaced_unseen(clip: Path) -> None:
    with build_source().keep_open() as source:
        first = read(source, clip)
        os.kill(first.process_id, signal.SIGKILL)
        second = read(source, clip)
    assert (second.report.status, second.report.message, second.report.num_frames) == ("complete", "", 10)


def test_a_video_that_kills_its_process_is_salvaged_and_the_next_is_whole(clip: Path, long: Path) -> None:
    with build_source(batch_frames=1).keep_open() as source:
        first = read(source, clip)
        session = source.open_session(long, sample_fps=10.0)
        for number, _ in enumerate(session):
            if number == 0:
                assert session.process_id == first.process_id
                os.kill(session.process_id, signal.SIGKILL)
        last = read(source, clip)
    assert (session.report.status, session.report.num_frames) == ("partial", 150)
    assert (last.report.status, last.process_id == session.process_id) == ("complete", True)


def test_a_video_left_before_its_end_takes_its_process_along(clip: Path, long: Path) -> None:
    with build_source(batch_frames=1).keep_open() as source:
        with source.open_session(long, sample_fps=10.0) as session:
            next(iter(session))
        assert not Path(f"/proc/{session.process_id}").exists()
        assert read(source, clip).report.status == "complete"


def test_a_failure_counts_only_in_a_process_that_has_read_nothing_else(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    ask = frames.Child.ask
    monkeypatch.setattr(frames.Child, "ask", lambda self, task: (asked.append(self.process_id), ask(self, task))[1])
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    with build_source().keep_open() as source:
        read(source, clip)
        with pytest.raises(VideoError):
            source.open_session(tmp_path / "text.mp4", sample_fps=5.0)
    assert (len(asked), len(set(asked))) == (3, 2)


def test_a_process_reads_so_many_videos_and_no_more(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_VIDEOS_PER_CHILD", 2)
    with build_source().keep_open() as source:
        ids = [read(source, clip).process_id for _ in range(4)]
    assert [ids[0] == ids[1], ids[1] == ids[2], ids[2] == ids[3]] == [True, False, True]

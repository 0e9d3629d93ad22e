"""Bounds of one video: memory, time, size of a batch; and files whose clock or name is unusual."""

import os
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import ArchiveError, VideoError
from anomalylmm.models.video import frames
from anomalylmm.models.video.child_process import Child, ChildLostError
from anomalylmm.models.video.children.decoding_child import failure
from tests.adapters import build_source, open_video
from tests.anomalylmm.models.video.clips import every, write_clip


def write_small(path: Path, **options: object) -> Path:
    return write_clip(path, times_ms=every(20), **options)  # type: ignore[arg-type]


def test_too_little_memory_is_said_with_the_setting_and_costs_the_file_only(tmp_path: Path) -> None:
    path = write_small(tmp_path / "large.mkv", codec="mjpeg", size=(4000, 3000))
    source = build_source(decoder="pyav", memory_limit_bytes=90 << 20)
    with pytest.raises(VideoError, match=r"large\.mkv.* more memory than the 90 MiB that decode\.memory_mib") as caught:
        source.open_session(path, sample_fps=1.0)
    assert "index --retry" in str(caught.value)


def test_a_want_of_memory_without_a_limit_is_not_blamed_on_the_setting() -> None:
    assert "memory_mib" not in failure(MemoryError("no memory"), None)
    assert failure(KeyError("x"), None).startswith("the decoder failed: KeyError")


def test_a_video_that_takes_too_long_keeps_what_came_and_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "clip.mp4", times_ms=every(60))
    session = build_source(batch_frames=4, max_seconds=3600.0).open_session(path, sample_fps=10.0)
    batches = iter(session)
    next(batches)
    session._waited_seconds = 3601.0
    count = 4 + sum(len(batch.images) for batch in batches)
    assert count < 60
    assert session.report.status == "partial"
    assert "the 60 minutes that decode.minutes_per_video allows" in session.report.message


def test_a_batch_of_large_frames_is_handed_on_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "BATCH_BYTES", 2 * 160 * 120 * 3)
    session = open_video(write_small(tmp_path / "a.mp4"), sample_fps=10.0)
    assert {len(batch.images) for batch in session} == {2}


def test_a_stream_whose_clock_starts_again_is_read_to_its_end(tmp_path: Path) -> None:
    part = write_small(tmp_path / "part.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)
    session = open_video(joined, sample_fps=10.0)
    times = [pts for batch in session for pts in batch.pts_seconds]
    assert len(times) >= 36
    assert np.all(np.diff(times) > 0)


def test_a_raw_stream_that_has_no_times_is_read_as_25_frames_a_second(tmp_path: Path) -> None:
    session = open_video(write_small(tmp_path / "raw.h264"), sample_fps=5.0)
    times = [pts for batch in session for pts in batch.pts_seconds]
    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_a_name_that_is_not_utf_8_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    write_small(tmp_path / "clip.mp4").rename(path)
    session = open_video(path, sample_fps=5.0)
    assert sum(len(batch.images) for batch in session) == 10


def test_a_pipe_is_refused_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match=r"pipe\.mp4 is not a file"):
        open_video(tmp_path / "pipe.mp4", sample_fps=1.0)


def test_a_system_that_starts_no_process_ends_the_run_and_blames_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(ArchiveError, match="no process could be started") as caught:
        Child()
    assert not isinstance(caught.value, VideoError)


def test_a_decoder_that_dies_is_named_by_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child()
    os.kill(child.process_id, 6)
    with pytest.raises(ChildLostError, match="SIGABRT"):
        child.receive(30.0)
    child.close()

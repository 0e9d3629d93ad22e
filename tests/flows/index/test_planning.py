"""What is new in an archive and how it is divided."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.records import Video
from flows.index.archive_files import list_archive
from flows.index.planning import Plan, content_digest, divide, plan_archive
from flows.settings.model import Settings
from flows.settings.sections import CameraSettings, ShardSettings


def no_probe(path: Path) -> datetime | None:
    return None


def plan(archive: Path, settings: Settings | None = None, known: frozenset[str] = frozenset()) -> Plan:
    return plan_archive(archive, settings or Settings(), known=known, quarantined=frozenset(), probe_start=no_probe)


def put(archive: Path, name: str, content: bytes) -> Path:
    path = archive / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 72), st.integers(1, 10)), max_size=40),
    st.integers(1, 7),
)
def test_every_video_lands_in_exactly_one_unit_of_its_camera_and_day(
    rows: list[tuple[str, int, int]], max_videos: int
) -> None:
    videos = [
        Video(
            video_id=str(index),
            path=f"{index}.mp4",
            camera=camera,
            size_bytes=size << 20,
            start_utc=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour),
            clock_source="path_pattern",
            time_zone="Europe/Berlin",
        )
        for index, (camera, hour, size) in enumerate(rows)
    ]
    settings = Settings(shards=ShardSettings(max_videos=max_videos, max_bytes=16 << 20))
    units = list(divide(videos, settings))
    assert sorted(video.video_id for unit in units for video in unit.videos) == sorted(v.video_id for v in videos)
    for unit in units:
        assert 1 <= len(unit.videos) <= max_videos
        assert {video.camera for video in unit.videos} == {unit.camera}
        assert len(unit.videos) == 1 or sum(video.size_bytes for video in unit.videos) <= 16 << 20


def test_known_videos_are_not_planned_again(tmp_path: Path) -> None:
    path = put(tmp_path, "gate/2026-03-14/10-00-00.mp4", b"one")
    put(tmp_path, "gate/2026-03-14/11-00-00.mp4", b"two")
    planned = plan(tmp_path, known=frozenset({content_digest(path)}))
    assert (planned.num_videos, planned.known) == (1, 1)
    assert planned.units[0].videos[0].path.endswith("11-00-00.mp4")


def test_two_files_of_one_content_are_one_video(tmp_path: Path) -> None:
    put(tmp_path, "a/x.mp4", b"same")
    put(tmp_path, "b/y.mp4", b"same")
    planned = plan(tmp_path)
    assert planned.num_videos == 1
    assert planned.duplicates == (("b/y.mp4", "a/x.mp4", "a"),)


def test_a_changed_byte_in_a_small_file_changes_its_identity(tmp_path: Path) -> None:
    first, second = put(tmp_path, "a.mp4", b"a" * 100_000), put(tmp_path, "b.mp4", b"a" * 99_999 + b"b")
    assert content_digest(first) != content_digest(second)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "notes.txt", b"no video")
    with pytest.raises(ArchiveError, match="no video under"):
        plan(tmp_path)
    with pytest.raises(ArchiveError, match="not a folder"):
        plan(tmp_path / "missing")


def test_a_pattern_that_matches_nothing_is_reported_with_a_path(tmp_path: Path) -> None:
    put(tmp_path, "gate/clip.mp4", b"x")
    settings = Settings(cameras=(CameraSettings(pattern="{camera}/{year}/{month}/{day}"),))
    with pytest.raises(ConfigurationError, match=r"gate/clip\.mp4"):
        plan(tmp_path, settings)


def test_links_out_of_the_archive_are_not_followed(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/secret.mp4", b"x")
    archive = tmp_path / "archive"
    put(archive, "a.mp4", b"y")
    (archive / "link.mp4").symlink_to(outside)
    (archive / "folder").symlink_to(outside.parent)
    assert [path.name for path in list_archive(archive).videos] == ["a.mp4"]

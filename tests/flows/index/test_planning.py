"""What is new in an archive and how it is divided."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.records import Video
from flows.index.listing.archive_files import list_archive
from flows.index.listing.content import MAX_SHORTER, content_digest
from flows.index.planning import Plan, divide, plan_archive
from flows.settings.model import Settings
from flows.settings.sections import CameraSettings, ShardSettings
from storage.shards.manifest import Footage


def no_probe(path: Path) -> None:
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


@pytest.mark.parametrize(
    ("head", "doubt"),
    [
        (b"\x00\x00\x00\x01\x67\x42", "frame_rate"),
        (b"\xff\xd8\xff\xe0", "frame_rate"),
        (b"\x00\x00\x00\x18ftypisom", ""),
    ],
)
def test_only_pictures_without_times_have_a_doubtful_rate(head: bytes, doubt: str, tmp_path: Path) -> None:
    put(tmp_path, "gate/2026-03-14/10-15-00.mp4", head)
    assert plan(tmp_path).units[0].videos[0].clock_doubt == doubt


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


def stored(path: Path, archive: Path, *, size: int | None = None, **more: Any) -> Footage:
    """What the store knows about the first bytes of a file."""
    values = {"video_id": content_digest(path, size), "size_bytes": size or path.stat().st_size}
    name, start = path.relative_to(archive).as_posix(), datetime(2026, 3, 1, tzinfo=UTC)
    return Footage(**values, path=name, camera="gate", start_utc=start, **more)


def plan_after(archive: Path, *videos: Footage) -> Plan:
    known = frozenset(video.video_id for video in videos)
    return plan_archive(archive, Settings(), known=known, quarantined=frozenset(), probe_start=no_probe, stored=videos)


@pytest.mark.parametrize("size", [1, 1000, 3 << 20])
def test_a_file_that_has_grown_names_its_shorter_version(size: int, tmp_path: Path) -> None:
    path = put(tmp_path, "gate/2026-03-14/10-00-00.ts", random.Random(0).randbytes(4 << 20))
    shorter = stored(path, tmp_path, size=size, grown_from=("even shorter",))
    planned = plan_after(tmp_path, shorter)
    assert planned.units[0].videos[0].grown_from == ("even shorter", shorter.video_id)
    assert planned.units[0].videos[0].first_id == "even shorter"
    assert "have grown" in planned.remarks()[0]


@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_a_recording_whose_header_is_written_again_has_grown(size: int, tmp_path: Path) -> None:
    content = random.Random(0).randbytes(4 << 20)
    path = put(tmp_path, "gate/2026-03-14/10-00-00.mkv", content[:size])
    body_id = plan(tmp_path).units[0].videos[0].body_id
    shorter = stored(path, tmp_path, body_id=body_id)
    path.write_bytes(b"duration" + content[8:])
    assert plan_after(tmp_path, shorter).grown == 1
    path.write_bytes(b"duration" + content[8:size])
    assert plan_after(tmp_path, shorter).grown == 1, "not longer, but finished"
    path.write_bytes(content[:8] + bytes(4 << 20))
    assert plan_after(tmp_path, shorter).grown == 0


def test_another_recording_under_the_same_name_is_no_growth(tmp_path: Path) -> None:
    path = put(tmp_path, "gate/2026-03-14/10-00-00.ts", b"first recording")
    shorter = stored(path, tmp_path)
    path.write_bytes(b"another recording, which is longer")
    planned = plan_after(tmp_path, shorter)
    assert (planned.num_videos, planned.grown) == (1, 0)


def test_growth_is_looked_for_in_the_newest_recordings_of_a_path_only(tmp_path: Path) -> None:
    path = put(tmp_path, "ring/00.ts", b"first")
    videos = [stored(path, tmp_path)]
    for number in range(MAX_SHORTER):
        path.write_bytes(b"xx" + bytes([number]))
        videos.insert(0, stored(path, tmp_path))
    path.write_bytes(b"first and more")
    assert plan_after(tmp_path, *videos).grown == 0
    assert plan_after(tmp_path, *videos[1:]).grown == 1


def test_a_duplicate_is_named_with_the_camera_that_the_store_has(tmp_path: Path) -> None:
    path = put(tmp_path, "yard/x.mp4", b"same")
    put(tmp_path, "a/x.mp4", b"same")
    planned = plan_after(tmp_path, stored(path, tmp_path))
    assert planned.duplicates == (("a/x.mp4", "yard/x.mp4", "gate"),)
    assert planned.known == 1

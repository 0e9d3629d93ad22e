"""Special files in an archive, and the maximum number of videos in one run."""

import inspect
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from anomalylmm.errors import ArchiveError
from flows.index.listing import archive_files
from flows.index.listing.archive_files import list_archive, path_id
from flows.index.listing.content import content_digest
from flows.index.planning import Plan, plan_archive
from flows.settings.archive_section import ArchiveSettings
from flows.settings.model import Settings


def plan(
    archive: Path, *, quarantined: frozenset[str] = frozenset(), settle_seconds: float = 60.0, **decode: int
) -> Plan:
    settings = Settings.model_validate({"decode": decode, "archive": {"settle_seconds": settle_seconds}})
    return plan_archive(archive, settings, known=frozenset(), quarantined=quarantined, probe_start=lambda _: None)


def test_pipes_and_broken_links_are_reported_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "circle.mp4").symlink_to("circle.mp4")
    (tmp_path / "dangling.mp4").symlink_to("nothing.mp4")
    (tmp_path / "endless.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    reported = dict(plan(tmp_path).unreadable)
    assert set(reported) == {"pipe.mp4", "circle.mp4", "dangling.mp4"}
    assert "pipe" in reported["pipe.mp4"]
    assert "correct or remove it" in reported["dangling.mp4"]
    again = plan(tmp_path, quarantined=frozenset({path_id("pipe.mp4"), path_id("circle.mp4")}))
    assert (set(dict(again.unreadable)), again.quarantined) == ({"dangling.mp4"}, 2)


def test_a_pipe_has_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(OSError, match="not a regular file"):
        content_digest(tmp_path / "pipe.mp4")


def test_folders_nested_deeper_than_the_python_stack_are_walked(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d"] * 200)
    folder.mkdir(parents=True)
    (folder / "deep.mp4").write_bytes(b"x")
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(len(inspect.stack()) + 100)
        paths = list_archive(tmp_path).videos
    finally:
        sys.setrecursionlimit(limit)
    assert [path.name for path in paths] == ["deep.mp4"]


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [path for path, reason in plan(tmp_path).unreadable if "Permission" in reason] == ["locked"]


def test_a_run_takes_at_most_its_number_of_videos_and_reports_the_rest(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]))
    planned = plan(tmp_path, videos_per_run=2)
    assert (planned.num_videos, planned.postponed) == (2, 3)
    assert "videos_per_run" in planned.notes()[0]
    assert not any("videos_per_run" in note for note in plan(tmp_path).notes())


@pytest.mark.parametrize("name", ["gate/0001-01-01/00-00-00.mp4", "gate/9999-12-31/23-59-59.mp4", "gate/x.mp4"])
def test_times_outside_the_calendar_do_not_stop_a_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    os.utime(path, (0, -3_000_000_000))
    settings = Settings.model_validate({"time_zone": "Europe/Berlin"})
    planned = plan_archive(tmp_path, settings, known=frozenset(), quarantined=frozenset(), probe_start=lambda _: None)
    assert planned.units[0].videos[0].start_utc == datetime(1970, 1, 1, tzinfo=UTC)


def put(archive: Path, name: str, content: bytes = b"x") -> Path:
    path = archive / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(archive: Path, **settings: object) -> tuple[list[str], dict[str, str]]:
    """The videos and what is passed over, by path."""
    listing = list_archive(archive, ArchiveSettings.model_validate(settings))
    videos = [path.relative_to(archive).as_posix() for path in listing.videos]
    return videos, {item.path: item.reason for item in listing.passed_over}


@pytest.mark.parametrize(
    "name",
    [
        "$RECYCLE.BIN/S-1-5/$R1.mp4",
        "#recycle/a.mp4",
        "@Recycle/a.mp4",
        "gate/@eaDir/a.mp4/SYNOVIDEO.mp4",
        ".Trash-1000/files/a.mp4",
        "System Volume Information/a.mp4",
        ".snapshot/daily/gate/a.mp4",
        "@Recently-Snapshot/a.mp4",
        ".stversions/a~20260314.mp4",
        "lost+found/a.mp4",
        "gate/._a.mp4",
        "gate/.a.mp4",
        "gate/a.mp4.part",
        "gate/a.mp4.tmp",
        "gate/a.mp4.crdownload",
        "gate/a.mp4~",
    ],
)
def test_trash_snapshots_and_unfinished_files_are_left_out_and_named(name: str, tmp_path: Path) -> None:
    put(tmp_path, "gate/b.mp4")
    put(tmp_path, name)
    videos, passed = names(tmp_path)
    assert videos == ["gate/b.mp4"]
    assert "built-in pattern" in passed[name]
    assert len(passed) == 1
    assert name in names(tmp_path, include=[name.replace("#", r"\#")])[0]


def test_the_user_excludes_and_includes_with_patterns(tmp_path: Path) -> None:
    for name in ("gate/a.mp4", "gate/old/b.mp4", "yard/c.mp4", "yard/test-d.mp4", ".hidden/e.mp4"):
        put(tmp_path, name)
    videos, passed = names(tmp_path, exclude=["old/", "/yard/test-*"], include=[".hidden/"])
    assert videos == [".hidden/e.mp4", "gate/a.mp4", "yard/c.mp4"]
    assert set(passed) == {"gate/old/b.mp4", "yard/test-d.mp4"}
    assert "old/" in passed["gate/old/b.mp4"]


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(ValidationError, match=r"\[z-a\].*\.gitignore"):
        ArchiveSettings(exclude=("[z-a]",))


def test_a_video_without_a_known_extension_is_named_by_its_content(tmp_path: Path) -> None:
    matroska = b"\x1aE\xdf\xa3" + b"\x00" * 60
    put(tmp_path, "gate/a.mp4")
    for name in ("gate/rec0001", "gate/b.rec", "gate/c.txt"):
        put(tmp_path, name, matroska)
    put(tmp_path, "gate/d.jpg", matroska)
    put(tmp_path, "gate/e.movie", b"no known content")
    put(tmp_path, "notes.txt", b"text")
    put(tmp_path, "unknown", b"text")
    videos, passed = names(tmp_path)
    assert videos == ["gate/a.mp4"]
    assert set(passed) == {"gate/rec0001", "gate/b.rec", "gate/c.txt", "gate/e.movie"}
    assert "no extension" in passed["gate/rec0001"]
    assert "Matroska" in passed["gate/b.rec"]
    assert names(tmp_path, include=["rec*"])[0] == ["gate/a.mp4", "gate/rec0001"]


def test_what_is_kept_beside_a_video_is_not_taken_for_one(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mp4.thumb", "a.mp4.xmp", "a.mp4.json", "a.mp4.jpg", "a.mp4.md5", "a.THM"):
        put(tmp_path, name)
    assert names(tmp_path) == (["a.mp4"], {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("yard.bvr", "is a video format that is not read"),  # Blue Iris
        ("F0_rotating_1773479700123.ubv", "is a video format that is not read"),  # UniFi Protect
        ("a.mp4.gz", "named like a video, but .gz"),
    ],
)
def test_videos_of_formats_that_no_decoder_knows_are_named(tmp_path: Path, name: str, reason: str) -> None:
    put(tmp_path, "a.mp4")
    put(tmp_path, name, b"no known content")
    assert reason in names(tmp_path)[1][name]


def test_an_extension_that_others_use_too_is_read_if_the_content_is_a_video(tmp_path: Path) -> None:
    put(tmp_path, "a.ps", b"%!PS-Adobe-3.0")
    put(tmp_path, "b.ps", b"\x00\x00\x01\xba" + b"\x00" * 60)
    assert names(tmp_path) == (["b.ps"], {})


def test_a_pipe_without_a_known_extension_is_not_opened(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == (["a.mp4"], {})


def test_links_inside_the_archive_are_followed_once_and_circles_end(tmp_path: Path) -> None:
    put(tmp_path, "gate/a.mp4")
    put(tmp_path, ".data/yard/b.mp4")
    (tmp_path / "again").symlink_to("gate")
    (tmp_path / "gate/latest.mp4").symlink_to("a.mp4")
    (tmp_path / "gate/circle").symlink_to("..")
    (tmp_path / "yard").symlink_to(".data/yard")
    (tmp_path / "yard2").symlink_to(".data/yard")
    assert names(tmp_path) == (["gate/a.mp4", "yard/b.mp4"], {})


def test_links_out_of_the_archive_are_named_and_followed_only_if_allowed(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    put(archive, "a.mp4")
    put(tmp_path, "other/b.mp4")
    put(tmp_path, "other/deep/c.mp4")
    (archive / "linked").symlink_to(tmp_path / "other/deep")
    (archive / "b.mp4").symlink_to(tmp_path / "other/b.mp4")
    (archive / "all").symlink_to(tmp_path)
    videos, passed = names(archive)
    assert videos == ["a.mp4"]
    assert set(passed) == {"all", "b.mp4", "linked"}
    assert "follow_links_out" in passed["linked"]
    videos, passed = names(archive, follow_links_out=True)
    assert (sorted(Path(name).name for name in videos), passed) == (["a.mp4", "b.mp4", "c.mp4"], {})


def test_a_link_to_a_disk_that_is_gone_is_reported(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    put(archive, "a.mp4")
    (archive / "yard").symlink_to(tmp_path / "disk that is gone")
    (archive / "latest").symlink_to("no such folder")
    assert list(names(archive)[1]) == ["yard"]
    assert [path.name for path in list_archive(archive, ArchiveSettings(follow_links_out=True)).videos] == [
        "a.mp4",
        "yard",
    ]


def test_left_out_folders_are_looked_at_only_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "MAX_LEFT_OUT", 2)
    put(tmp_path, "a.mp4")
    for number in range(3):
        put(tmp_path, f".snapshot/1/{number}.mp4")
    put(tmp_path, ".snapshot/2/3.mp4")
    passed = names(tmp_path)[1]
    assert "not counted" in passed[".snapshot/2"]
    assert ".snapshot/1/0.mp4" in passed


def test_a_file_changed_a_moment_ago_is_left_to_a_later_run(tmp_path: Path) -> None:
    old, new = put(tmp_path, "a.mp4", b"1"), put(tmp_path, "b.mp4", b"2")
    planned = plan(tmp_path)
    assert planned.num_videos == 2
    assert "for a fresh copy" in planned.remarks()[0]
    os.utime(old, (0, 1_700_000_000))
    planned = plan(tmp_path)
    assert [item.path for item in planned.passed_over] == ["b.mp4"]
    assert "settle_seconds" in planned.passed_over[0].reason
    assert planned.num_videos == 1
    assert "passed over" in planned.remarks()[0]
    assert plan(tmp_path, settle_seconds=0).num_videos == 2
    os.utime(new, (0, 1_700_000_000))
    assert plan(tmp_path).num_videos == 2


def test_an_archive_in_which_all_is_passed_over_says_why(tmp_path: Path) -> None:
    put(tmp_path, ".hidden.mp4")
    with pytest.raises(ArchiveError, match=r"1 files look like videos.*\.hidden\.mp4.*built-in"):
        plan(tmp_path)

"""Special files in an archive, and the maximum number of videos in one run."""

import inspect
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.index.archive_files import iter_video_paths, path_id
from flows.index.planning import Plan, content_digest, plan_archive
from flows.settings.model import Settings


def plan(archive: Path, *, quarantined: frozenset[str] = frozenset(), **decode: int) -> Plan:
    settings = Settings.model_validate({"decode": decode})
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
        paths = list(iter_video_paths(tmp_path))
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
    assert plan(tmp_path).notes() == ()


@pytest.mark.parametrize("name", ["gate/0001-01-01/00-00-00.mp4", "gate/9999-12-31/23-59-59.mp4", "gate/x.mp4"])
def test_times_outside_the_calendar_do_not_stop_a_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    os.utime(path, (0, -3_000_000_000))
    settings = Settings.model_validate({"time_zone": "Europe/Berlin"})
    planned = plan_archive(tmp_path, settings, known=frozenset(), quarantined=frozenset(), probe_start=lambda _: None)
    assert planned.units[0].videos[0].start_utc == datetime(1970, 1, 1, tzinfo=UTC)

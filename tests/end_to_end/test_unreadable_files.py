"""What becomes of a file that can't be read, from run to run."""

import os
from pathlib import Path

import pytest

from flows.composition import Composition
from flows.index.indexing import IndexReport, index_archive
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.shards.quarantine import read_quarantine
from tests.fakes import compose, write_video


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive/gate"
    folder.mkdir(parents=True)
    (folder / "text.mp4").write_text("this is no video")
    (folder / "dangling.mp4").symlink_to("nothing.mp4")
    return folder.parent


def index(archive: Path, *, retry: bool = False, max_tries: int = 2) -> IndexReport:
    composition = compose(decode={"sample_fps": 4.0, "max_tries": max_tries}, archive={"settle_seconds": 0})
    return index_archive(composition, StoreLayout(archive.parent / "store"), archive, retry=retry)


def tries(archive: Path) -> dict[str, int]:
    return {entry.path: entry.tries for entry in read_quarantine(StoreLayout(archive.parent / "store"))}


def test_a_file_has_its_tries_and_is_then_left_out_with_a_word(archive: Path) -> None:
    assert len(index(archive).unreadable) == 2
    assert tries(archive) == {"gate/text.mp4": 1, "gate/dangling.mp4": 1}
    passed = index(archive)
    assert (passed.quarantined, passed.unreadable, passed.notes) == (2, (), ())
    index(archive, retry=True)
    assert tries(archive) == {"gate/text.mp4": 2, "gate/dangling.mp4": 2}
    given_up = index(archive, retry=True)
    assert given_up.unreadable == ()
    assert "1 unreadable videos had the maximum number of tries" in given_up.notes[0]
    assert len(index(archive, retry=True, max_tries=3).unreadable) == 2


def test_a_touched_file_is_tried_at_once_and_a_good_copy_takes_the_note_away(archive: Path) -> None:
    index(archive)
    os.utime(archive / "gate/text.mp4", (0, 1_000_000))
    assert [item.path for item in index(archive).unreadable] == ["gate/text.mp4"]
    write_video(archive / "gate/text.mp4", [("red", 0, 2)], seconds=2.0)
    (archive / "gate/dangling.mp4").unlink()
    write_video(archive / "gate/dangling.mp4", [("blue", 0, 2)], seconds=2.0)
    report = index(archive)
    assert (int(report.total("num_videos")), report.unreadable) == (2, ())
    assert tries(archive) == {}


def test_the_limits_of_the_settings_reach_the_decoder() -> None:
    source = Composition(Settings.model_validate({"decode": {"memory_mib": 300, "minutes_per_video": 2}})).source
    assert (source.memory_limit_bytes, source.max_seconds) == (300 << 20, 120)  # type: ignore[attr-defined]
    free = Composition(Settings.model_validate({"decode": {"memory_mib": 0, "minutes_per_video": 0}})).source
    assert (free.memory_limit_bytes, free.max_seconds) == (None, None)  # type: ignore[attr-defined]

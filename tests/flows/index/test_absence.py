"""An index run tells what is missing from the archive, and nothing is erased by it."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anomalylmm.errors import ArchiveError
from flows.index import flow
from flows.index.indexing import IndexReport, index_archive
from flows.maintain.corrections import list_indexed
from flows.maintain.erasing import erase_store
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.gaps import read_gaps_table
from storage.upkeep.erasure_log import ErasureRule
from tests.drawn import compose_small, write_queries

LATER = datetime(2026, 4, 1, tzinfo=UTC).timestamp()  # all files were last changed long ago, and after their start
NIGHT = datetime(2026, 3, 14, 22)  # noqa: DTZ001 - only for names


def write_clip(archive: Path, camera: str, number: int) -> Path:
    path = archive / camera / f"{NIGHT + number * timedelta(minutes=10):%Y-%m-%d/%H-%M-%S}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"blocks": [["red", 0, 2]], "name": f"{camera} {number}"}))
    os.utime(path, (LATER, LATER))  # written long ago
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """One clip every ten minutes, of two cameras."""
    for camera in ("gate", "yard"):
        for number in range(8):
            write_clip(tmp_path / "archive", camera, number)
    return tmp_path / "archive"


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(tmp_path / "store")


def index(layout: StoreLayout, archive: Path, **sections: Any) -> IndexReport:
    return index_archive(compose_small(**sections), layout, archive)


def list_gaps(layout: StoreLayout) -> list[tuple[str, str]]:
    return [(row["camera"], row["kind"]) for row in read_gaps_table(layout).to_pylist()]


def test_a_camera_that_records_twice_at_one_time_is_named_once(
    layout: StoreLayout, archive: Path, tmp_path: Path
) -> None:
    assert not any("same time" in note for note in index(layout, archive).notes)
    other = write_clip(tmp_path / "other site", "gate", 3)
    other.write_text(json.dumps({"blocks": [["red", 0, 2]], "name": "another gate"}))
    os.utime(other, (LATER, LATER))
    told = [note for note in index(layout, tmp_path / "other site").notes if "same time" in note]
    assert len(told) == 1
    assert "camera 'gate' recorded 1 new videos" in told[0]
    assert not any("same time" in note for note in index(layout, archive).notes)


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        ("22.00.00-22.00.03.mp4", False),
        ("22.00.00-22.01.00.mp4", False),
        ("22.00.00-22.10.00.mp4", True),
        ("23.59.58-00.00.01.mp4", False),
    ],
)
def test_a_video_that_is_much_shorter_than_the_span_in_its_name_is_named(
    layout: StoreLayout, tmp_path: Path, name: str, is_told: bool
) -> None:
    path = write_clip(tmp_path / "archive", "gate", 0)
    path.rename(path.with_name(name))
    notes = [note for note in index(layout, tmp_path / "archive").notes if "spans in their names" in note]
    assert len(notes) == is_told
    assert all(f"{name}': 3 s instead of 600 s" in note for note in notes)


def test_a_whole_archive_has_no_gap(layout: StoreLayout, archive: Path) -> None:
    for _ in range(2):
        report = index(layout, archive)
        assert (report.notes, report.gaps, report.events) == ((), (), ())


@pytest.mark.parametrize("is_kept", [True, False], ids=["empty folder", "no folder"])
def test_a_camera_whose_footage_is_gone_is_told_until_it_is_back(
    layout: StoreLayout, archive: Path, is_kept: bool
) -> None:
    index(layout, archive)
    away = (archive / "gate").rename(archive.parent / "away")
    if is_kept:
        (archive / "gate").mkdir()
    report = index(layout, archive)
    assert report.state == "Completed"
    assert "camera 'gate' is gone: it had footage until 2026-03-14 23:10 UTC" in report.notes[0]
    assert report.events == ("gaps",)
    assert report.notification["gaps"][0]["camera"] == "gate"
    assert len(list_indexed(layout)) == 16
    again = index(layout, archive)
    assert "camera 'gate' is gone" in again.notes[0]
    assert again.events == ()
    assert index(layout, archive, gaps={"ignore_cameras": ["gate"]}).notes == ()
    shutil.rmtree(archive / "gate", ignore_errors=True)
    away.rename(archive / "gate")
    assert index(layout, archive).notes == ()
    assert list_gaps(layout) == []


def test_a_camera_whose_folder_was_renamed_is_not_gone(layout: StoreLayout, archive: Path) -> None:
    index(layout, archive)
    (archive / "gate").rename(archive / "entrance")
    (note,) = index(layout, archive).notes
    assert "recamera --camera gate --to entrance" in note
    assert list_gaps(layout) == []


def test_an_archive_that_was_moved_is_no_longer_missing(layout: StoreLayout, archive: Path, tmp_path: Path) -> None:
    write_clip(archive, "gate", 4).unlink()
    index(layout, archive)
    moved = archive.rename(tmp_path / "moved")
    with pytest.raises(ArchiveError):
        index(layout, archive)
    assert ("yard", "archive empty") in list_gaps(layout)
    told = [note for note in index(layout, moved).notes if "taken to have moved" in note]
    assert len(told) == 1
    assert list_gaps(layout) == [("gate", "hole")]
    assert index(layout, moved).notes == ()


@pytest.mark.parametrize("missing", ["its files", "a camera in the other one"])
def test_an_archive_is_not_taken_to_have_moved_without(
    layout: StoreLayout, archive: Path, tmp_path: Path, missing: str
) -> None:
    index(layout, archive)
    shutil.copytree(archive, tmp_path / "copy")
    if missing == "a camera in the other one":
        shutil.rmtree(tmp_path / "copy/yard")
        shutil.rmtree(archive)
    report = index(layout, tmp_path / "copy")
    assert not any("taken to have moved" in note for note in report.notes)
    assert len(list(layout.archives.glob("*.json"))) == 2


def test_a_hole_is_told_once_and_stays_in_the_table_until_it_is_filled(layout: StoreLayout, archive: Path) -> None:
    lost = write_clip(archive, "gate", 4)
    content = lost.read_text()
    lost.unlink()
    report = index(layout, archive)
    assert report.notes == (
        "camera 'gate' normally records without a break, but has nothing from 2026-03-14 22:30 UTC to "
        "2026-03-14 22:50 UTC",
    )
    assert index(layout, archive).notes == ()
    assert list_gaps(layout) == [("gate", "hole")]
    lost.write_text(content)
    os.utime(lost, (LATER, LATER))
    index(layout, archive)
    assert list_gaps(layout) == []


def test_gaps_are_a_table(layout: StoreLayout, archive: Path, tmp_path: Path) -> None:
    write_clip(archive, "gate", 4).unlink()
    index(layout, archive)
    sweep_store(compose_small(), layout, write_queries(tmp_path / "queries.toml"))
    rows = run_sql(layout, "SELECT camera, kind, start_utc, stop_utc, seconds FROM gaps")[1]
    start, stop = datetime(2026, 3, 14, 22, 30, 3), datetime(2026, 3, 14, 22, 50)  # noqa: DTZ001 - as SQL gives them
    assert rows == [("gate", "hole", start, stop, 1197.0)]


def test_the_page_of_a_prefect_run_shows_gaps(
    layout: StoreLayout, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr(flow, "show_table", lambda key, rows, _: shown.update({key: rows}))
    flow.show_gaps("whole", index(layout, archive))
    write_clip(archive, "gate", 4).unlink()
    flow.show_gaps("index-gaps", index(StoreLayout(layout.root.with_name("other")), archive))
    row = {"camera": "gate", "what": "hole", "from": "2026-03-14 22:30:03", "to": "2026-03-14 22:50:00"}
    assert shown == {"index-gaps": [row]}


def test_an_erased_video_is_no_hole(layout: StoreLayout, archive: Path) -> None:
    index(layout, archive)
    erase_store(layout, [ErasureRule(videos=("gate/2026-03-14/22-40-00.mp4",))])
    report = index(layout, archive)
    assert (report.erased, report.gaps) == (1, ())


def test_a_broken_video_that_is_still_there_is_no_hole(layout: StoreLayout, archive: Path) -> None:
    broken = write_clip(archive, "gate", 4)
    broken.write_text("no video at all")
    os.utime(broken, (LATER, LATER))
    report = index(layout, archive)
    assert len(report.unreadable) == 1
    assert report.gaps == ()


@pytest.mark.parametrize("is_kept", [True, False], ids=["empty folder", "no folder"])
def test_an_archive_that_is_not_mounted_is_an_error_that_says_what_was_there(
    layout: StoreLayout, archive: Path, is_kept: bool
) -> None:
    index(layout, archive)
    away = archive.rename(archive.parent / "away")
    if is_kept:
        archive.mkdir()
    for _ in range(2):
        with pytest.raises(ArchiveError, match=r"held 16 videos of gate, yard: is the disk mounted"):
            index(layout, archive)
    assert list_gaps(layout) == [("gate", "archive empty"), ("yard", "archive empty")]
    assert len(list_indexed(layout)) == 16
    shutil.rmtree(archive, ignore_errors=True)
    away.rename(archive)
    assert index(layout, archive).notes == ()
    assert list_gaps(layout) == []


def test_an_archive_that_was_always_empty_is_not_said_to_have_held_something(
    layout: StoreLayout, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError) as raised:
        index(layout, tmp_path / "empty")
    assert "mounted" not in str(raised.value)


def test_cameras_of_another_archive_are_not_gone(layout: StoreLayout, archive: Path, tmp_path: Path) -> None:
    index(layout, archive)
    for number in range(8):
        write_clip(tmp_path / "other", "roof", number)
    assert index(layout, tmp_path / "other").notes == ()
    assert index(layout, archive).notes == ()


def test_a_camera_is_not_gone_if_the_run_ended_before_its_files(layout: StoreLayout, archive: Path) -> None:
    index(layout, archive)
    shutil.rmtree(archive / "yard")
    for number in range(8, 12):
        write_clip(archive, "gate", number)
    report = index(layout, archive, decode={"videos_per_run": 2, "sample_fps": 4.0})
    assert not [note for note in report.notes if "gone" in note]


def test_a_camera_of_which_only_a_growing_file_is_there_is_not_gone(layout: StoreLayout, archive: Path) -> None:
    index(layout, archive)
    shutil.rmtree(archive / "yard")
    os.utime(write_clip(archive, "yard", 20))
    report = index(layout, archive)
    assert [item.path.split("/")[0] for item in report.passed_over] == ["yard"]
    assert report.gaps == ()


def test_a_damaged_note_on_an_archive_is_written_again(layout: StoreLayout, archive: Path) -> None:
    index(layout, archive)
    (note,) = layout.archives.glob("*.json")
    note.write_text("{")
    assert index(layout, archive).notes == ()
    assert json.loads(note.read_text())["cameras"] == {"gate": 8, "yard": 8}

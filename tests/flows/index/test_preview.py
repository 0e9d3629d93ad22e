"""What an index run would read, before it reads it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anomalylmm.errors import ArchiveError
from anomalylmm.records import ContainerTime
from flows.index.preview import Preview, preview_archive
from flows.settings.model import Settings
from flows.settings.sections import CameraSettings

LATER = datetime(2026, 4, 1, tzinfo=UTC).timestamp()


def preview(archive: Path, *names: str, time_zone: str = "UTC", modified: float = LATER) -> Preview:
    for number, name in enumerate(names):
        path = archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number}".encode())
        os.utime(path, (modified, modified))
    return preview_archive(
        archive, Settings(time_zone=time_zone), lambda _: ContainerTime(created_utc=None, duration_seconds=60.0)
    )


def test_each_layout_shows_camera_time_and_source_of_a_few_files(tmp_path: Path) -> None:
    names = [f"gate/2026-03-14/{hour:02d}-15-00.mp4" for hour in range(9)]
    found = preview(tmp_path, *names, "yard_20260314_101500.mp4", time_zone="Europe/Berlin")
    assert (found.num_files, found.cameras, found.unsure) == (10, {"gate": 9, "yard": 1}, ())
    by_pattern = {layout.pattern: layout for layout in found.layouts}
    gate = by_pattern["gate/#-#-#/#-#-#.mp#"]
    assert gate.num_files == 9
    assert [item.start_local for item in gate.examples] == [
        "2026-03-14 00:15:00",
        "2026-03-14 04:15:00",
        "2026-03-14 08:15:00",
    ]
    assert {(item.camera, item.clock_source, item.time_zone) for item in gate.examples} == {
        ("gate", "path_pattern", "Europe/Berlin")
    }


def test_what_is_unsure_is_counted_with_an_example(tmp_path: Path) -> None:
    found = preview(tmp_path, "gate/clip.mp4", "gate/2026-03-14.mp4", "yard_04-03-2026_10-15-00.mp4", "VID_1.mp4")
    assert any(text.startswith("1 of 4 files have a date but no time of day") for text in found.unsure)
    assert any("day and month may be swapped; for example 'yard_04" in text for text in found.unsure)
    assert any(text.startswith("2 of 4 files have no time in their path") for text in found.unsure)
    assert any("no place for the camera 'default' (1)" in text for text in found.unsure)
    undated = next(item for layout in found.layouts for item in layout.examples if item.path == "gate/clip.mp4")
    assert (undated.clock_source, undated.start_local) == ("file_end", "2026-03-31 23:59:00")


def test_decode_width_and_tiles_of_each_camera_are_shown(tmp_path: Path) -> None:
    for name in ("gate/2026-03-14/09-15-00.mp4", "yard/2026-03-14/09-15-00.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"video")
    settings = Settings(cameras=(CameraSettings(name="yard", max_width=1920, tiles=2),))
    found = preview_archive(tmp_path, settings, lambda _: None)
    assert found.views == {
        "at most 960 px wide, seen at 416 px": ("gate",),
        "at most 1920 px wide, in 2 x 2 tiles, seen at 416 px": ("yard",),
    }


def test_a_wrong_time_zone_is_suspected_if_all_files_end_whole_hours_later(tmp_path: Path) -> None:
    for hour in range(0, 24, 4):
        begun = datetime(2026, 3, 14, hour, tzinfo=UTC).timestamp()
        found = preview(tmp_path, f"gate/2026-03-14/{hour:02d}-00-00.mp4", modified=begun + 5 * 3600 + 300)
    assert any("of all 6 files are 5 h after those in their paths" in text for text in found.unsure)


def test_a_pattern_that_matches_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "20260314_101500.mp4").write_bytes(b"x")
    settings = Settings.model_validate({"cameras": [{"pattern": "{camera}~{any}"}]})
    found = preview_archive(tmp_path, settings, lambda _: None)
    assert any(text.startswith("the camera pattern '{camera}~{any}' matches no path") for text in found.unsure)


def test_a_file_that_cannot_be_read_is_no_example(tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    os.mkfifo(tmp_path / "gate/20260314_101500.mp4")
    assert preview(tmp_path, "gate/20260314_101600.mp4").layouts[0].num_files == 2
    assert [len(layout.examples) for layout in preview(tmp_path).layouts] == [1]


def test_an_archive_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no video"):
        preview(tmp_path)

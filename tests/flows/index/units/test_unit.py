"""What the report of a unit says about its videos."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flows.index.indexing import index_archive
from storage.disk.layout import StoreLayout
from tests.drawn import DrawnSession, DrawnSource, SmallComposition, compose_small


class OddSource(DrawnSource):
    """Opens files whose header says what their name says."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one."""
        session = super().open_session(path, sample_fps=sample_fps)
        tracks, fps = 2 if "double" in path.name else 1, 1000.0 if "fast" in path.name else 25.0
        session.header = replace(session.header, num_video_tracks=tracks, average_fps=fps)
        return session


@pytest.mark.parametrize(
    ("kind", "note"), [("double", "2 files hold several video tracks"), ("fast", "2 files show more than 240 frames")]
)
def test_odd_files_are_counted_and_one_is_named(tmp_path: Path, kind: str, note: str) -> None:
    for number, name in enumerate(("10-00-00", f"11-00-00 {kind}", f"12-00-00 {kind}")):
        path = tmp_path / f"archive/gate/2026-03-14/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"blocks": [("red", 0, 3)], "number": number}))
    composition = SmallComposition(compose_small().settings, OddSource())
    report = index_archive(composition, StoreLayout(tmp_path / "store"), tmp_path / "archive")
    assert report.state == "Completed"
    (found,) = [item for item in report.notes if note in item]
    assert f"for example 'gate/2026-03-14/11-00-00 {kind}.mp4'" in found
    assert len([item for item in report.notes if "for example" in item]) == 1

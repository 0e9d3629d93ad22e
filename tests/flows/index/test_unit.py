"""What the report of a unit says about its videos."""

import json
from dataclasses import replace
from pathlib import Path

from flows.index.indexing import index_archive
from storage.disk.layout import StoreLayout
from tests.drawn import DrawnSession, DrawnSource, SmallComposition, compose_small


class DoubleSource(DrawnSource):
    """Opens files that hold two video tracks if their name says so."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one."""
        session = super().open_session(path, sample_fps=sample_fps)
        session.header = replace(session.header, num_video_tracks=2 if "double" in path.name else 1)
        return session


def test_files_of_which_one_track_is_read_are_counted_and_one_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(("10-00-00", "11-00-00 double", "12-00-00 double")):
        path = tmp_path / f"archive/gate/2026-03-14/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"blocks": [("red", 0, 3)], "number": number}))
    composition = SmallComposition(compose_small().settings, DoubleSource())
    report = index_archive(composition, StoreLayout(tmp_path / "store"), tmp_path / "archive")
    (note,) = [note for note in report.notes if "video tracks" in note]
    assert note.startswith(
        "camera gate, 2026-03-14: 2 files hold several video tracks, for example 'gate/2026-03-14/11"
    )
    assert report.state == "Completed"

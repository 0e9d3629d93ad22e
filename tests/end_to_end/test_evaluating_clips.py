"""The shipped models measured on two rendered clips, with nothing replaced."""

import json
from pathlib import Path

from flows.composition import Composition
from flows.evaluate.clips.evaluating import ClipRequest, evaluate_clips
from flows.settings.model import load_settings
from tests.end_to_end.demo_archive import CAR_PARK, SQUARE, cut_video

SECONDS = 10
LABELS = """\
file,behaviors,start_seconds,stop_seconds
square.mp4,lying,0,10
square.mp4,fighting,4.3,9.7
carpark.mp4,pushing;falling,8,9.2
carpark.mp4,lying,9.2,10
carpark.mp4,kicking,2,3
"""


def test_clips_without_a_date_in_their_path_are_measured_by_the_pocket_profile(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    cut_video(SQUARE, folder / "square.mp4", SECONDS)
    cut_video(CAR_PARK, folder / "carpark.mp4", SECONDS)
    (folder / "labels.csv").write_text(LABELS)
    report = evaluate_clips(
        Composition(load_settings("pocket", None, {})), ClipRequest(folder=folder, out=tmp_path / "out")
    )
    figures = report.document["figures"]
    assert figures["footage_seconds"] > 2 * SECONDS - 2
    assert figures["events"] == 4  # the queries for pushing and kicking are off
    assert figures["events_found"] >= 1  # who lies on the square all the time
    assert figures["hits"] == figures["hits_right"] + figures["hits_akin"] + figures["hits_false"]
    assert report.document["clips_without_person"] == []
    assert json.loads((tmp_path / "out/clips.json").read_text())["figures"] == figures
    assert sorted(path.name for path in folder.iterdir()) == ["carpark.mp4", "labels.csv", "square.mp4"]

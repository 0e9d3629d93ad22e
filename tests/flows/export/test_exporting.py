"""Exports of a real store with stand-in models: what is in them, what is blurred, what is missing."""

import csv
import hashlib
import json
import math
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from anomalylmm.errors import ArchiveError, ConfigurationError, QueryError, StoreError
from anomalylmm.models.video.clips import VideoClips
from flows.cli import app
from flows.export.choice import Choice
from flows.export.clips import ClipStyle
from flows.export.exporting import ExportReport, ExportRequest, export_hits
from flows.export.files import dump_json, make_safe
from flows.index.units.cropping import read_jpeg
from flows.settings.model import load_settings
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.inbox import leave_feedback, read_waiting
from storage.hits.rows import FeedbackRecord, SearchRecord
from tests.fakes import FakeComposition, compose, index_and_sweep, write_video
from tests.flows.export.export_examples import draw_stripes, frames_of, read_hit

QUERIES = """
[[query]]
name = "red"
text = "=a person in a red <b>jacket</b> walking"
floor = -10
"""
GATE = "gate/2026-03-14/10-00-00.mp4"
RED_AND_GREEN = Choice(query_name="red")
COMPOSITION = compose(time_zone="Europe/Berlin")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.fakes.draw", draw_stripes)
        write_video(folder / GATE, [("red", 1, 3.5), ("green", 0, 4)], seconds=4)
    return folder


@pytest.fixture(scope="module")
def store(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    folder = tmp_path_factory.mktemp("store")
    layout = index_and_sweep(COMPOSITION, folder, archive, QUERIES)
    (hit_id,) = run_sql(layout, "select hit_id from hits")[1][0]
    said = FeedbackRecord(
        hit_id=hit_id, verdict="confirm", who="@ann", created_utc=datetime(2026, 3, 15, tzinfo=UTC), note="yes"
    )
    leave_feedback(layout, said)
    sweep_store(COMPOSITION, layout, folder / "queries.toml")
    return layout


@pytest.fixture(scope="module")
def blurred(store: StoreLayout, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export(store, tmp_path_factory.mktemp("exports") / "blurred", archive)


@pytest.fixture(scope="module")
def plain(store: StoreLayout, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export(store, tmp_path_factory.mktemp("exports") / "plain", archive, style=ClipStyle(blur=False))


def export(store: StoreLayout, output: Path, archive: Path | None, **more: Any) -> ExportReport:
    request = ExportRequest(output=output, choice=more.pop("choice", RED_AND_GREEN), archive=archive, **more)
    return export_hits(COMPOSITION, store, request)


def test_an_export_holds_clip_picture_tables_page_and_a_manifest_that_fits(blurred: ExportReport) -> None:
    assert (blurred.num_hits, blurred.num_clips, blurred.num_pictures, blurred.state) == (1, 1, 1, "Completed")
    out = Path(blurred.output)
    assert [path.name for path in out.parent.iterdir()] == ["blurred"]
    hit, manifest = read_hit(out), json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == {"hits.csv", "hits.json", "index.html", hit["clip"], hit["picture"]}
    for name, entry in manifest["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == entry["sha256"]
    assert manifest["blur"] is True
    assert manifest["blur_detector"] == "block-detector@1"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True, capture_output=True)


def test_every_statement_can_be_traced(blurred: ExportReport, archive: Path) -> None:
    hit = read_hit(Path(blurred.output))
    assert hit["best_utc"].startswith("2026-03-14T09:00:0")
    assert hit["best_utc"].endswith("Z")
    assert hit["best_local"].startswith("2026-03-14T10:00:0")
    assert hit["best_local"].endswith("+01:00")
    assert hit["video_sha256"] == hashlib.sha256((archive / GATE).read_bytes()).hexdigest()
    assert hit["models"] == {
        "detector": "block-detector@1",
        "dual_encoder": "color-encoder@1",
        "judge": "color-judge@1",
    }
    assert hit["pipeline"] == COMPOSITION.pipeline.digest
    assert hit["text"] == "=a person in a red <b>jacket</b> walking"
    assert ("red", "red") in {(slot["word"], slot["answer"]) for slot in hit["slots"]}
    assert [(said["who"], said["verdict"]) for said in hit["said_by_people"]] == [("@ann", "confirm")]


def test_words_are_data_in_the_page_and_harmless_in_a_spreadsheet(blurred: ExportReport) -> None:
    page = (Path(blurred.output) / "index.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;jacket" in page
    assert "http://" not in page
    assert "https://" not in page
    with (Path(blurred.output) / "hits.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["text"].startswith("'=a person")
    assert row["verdict"] == "accepted"
    assert float(row["cosine"]) > 0
    assert [make_safe(value) for value in ("=1", "+1", "-1", "@x", "\tx", "a=1", -1.5, None)] == [
        "'=1",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "a=1",
        -1.5,
        "",
    ]


def test_a_number_that_is_none_is_null_in_json_and_empty_in_csv() -> None:
    written = dump_json({"score": math.nan, "slots": [{"match": math.inf, "word": "red"}], "rank": 1, "pair": (0.5,)})
    assert json.loads(written, parse_constant=pytest.fail) == {
        "score": None,
        "slots": [{"match": None, "word": "red"}],
        "rank": 1,
        "pair": [0.5],
    }
    assert [make_safe(value) for value in (math.nan, -math.inf, 0.0)] == ["", "", 0.0]


def test_the_clip_shows_the_tracklet_with_its_margin_and_plays_from_its_start(
    store: StoreLayout, archive: Path, tmp_path: Path
) -> None:
    style = ClipStyle(margin_seconds=0.5, blur=False, draw_box=True, burn_times=True)
    export(store, tmp_path / "out", archive, style=style)
    hit = read_hit(tmp_path / "out")
    clip, shows = tmp_path / "out" / hit["clip"], hit["clip_shows"]
    assert shows["start_seconds"] == pytest.approx(hit["start_seconds"] - 0.5, abs=0.13)
    assert shows["stop_seconds"] == pytest.approx(hit["stop_seconds"] + 0.5, abs=0.13)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(video=0))
        assert (stream.codec_context.name, len(frames)) == ("h264", shows["num_frames"])
    assert frames[0].time == 0
    assert np.allclose(np.diff([frame.time or 0 for frame in frames]), 1 / 8, atol=1e-3)  # write_video's rate
    content = clip.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    middle = frames[len(frames) // 2].to_ndarray(format="rgb24")
    yellow = (middle[15:85, :, 0] > 150) & (middle[15:85, :, 1] > 120) & (middle[15:85, :, 2] < 120)
    assert yellow.sum() > 60
    assert np.median(middle[-8:]) < 40
    assert middle[-12:].max() > 150


def test_bystanders_heads_are_blurred_in_every_frame_and_the_asked_person_is_not(
    blurred: ExportReport, plain: ExportReport
) -> None:
    assert json.loads((Path(plain.output) / "manifest.json").read_text())["blur"] is False
    clips = [frames_of(Path(report.output) / report.items[0].clip) for report in (blurred, plain)]
    changed = [np.abs(one.astype(int) - other) for one, other in zip(*clips, strict=True)]
    green_head, red_head = slice(90, 103), slice(22, 33)  # upper parts of write_video's two lanes
    assert all(change[green_head].max() > 40 for change in changed)
    assert all(change[red_head].max() < 35 for change in changed)
    note = blurred.items[0].clip_note
    assert note is not None
    assert note.num_blurred == note.num_frames
    assert note.num_asked >= 16


def test_the_picture_is_blurred_in_both_halves_and_as_it_was_without(
    store: StoreLayout, blurred: ExportReport, plain: ExportReport
) -> None:
    stored = (store.reports / blurred.items[0].evidence.hit["picture_path"]).read_bytes()
    assert (Path(plain.output) / plain.items[0].picture).read_bytes() == stored
    picture = read_jpeg((Path(blurred.output) / blurred.items[0].picture).read_bytes())
    change = np.abs(picture.astype(int) - read_jpeg(stored)).max(axis=2)
    assert change[:, :320].max() > 40
    assert change[:, 320:].max() > 40
    assert np.mean(change > 20) < 0.15


def test_a_zip_holds_the_same_files(store: StoreLayout, tmp_path: Path) -> None:
    report = export(store, tmp_path / "out.zip", None)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert packed.testzip() is None
        assert {"hits.csv", "index.html", "SHA256SUMS", report.items[0].picture} <= set(packed.namelist())


def test_a_missing_or_changed_or_moved_video_costs_itself_only(
    store: StoreLayout, archive: Path, tmp_path: Path
) -> None:
    missing, changed, moved = (tmp_path / name for name in ("missing", "changed", "moved"))
    missing.mkdir()
    write_video(changed / GATE, [("blue", 0, 5)])
    shutil.copytree(archive, moved)
    (moved / GATE).rename(moved / "elsewhere.mp4")
    for folder, said in ((None, "no archive"), (missing, "is not in the archive"), (changed, "has changed")):
        report = export(store, tmp_path / f"out-{said}", folder)
        assert (report.num_clips, report.num_pictures, report.state) == (0, 1, "Degraded")
        assert said in report.problems[0].reason
        assert said in (tmp_path / f"out-{said}" / "index.html").read_text()
        assert said in json.loads((tmp_path / f"out-{said}" / "manifest.json").read_text())["problems"][0]["reason"]
    style = ClipStyle(blur=False)
    assert export(store, tmp_path / "out-moved", moved, style=style).num_clips == 1


def test_a_lost_shard_and_a_lost_picture_are_said(store: StoreLayout, archive: Path, tmp_path: Path) -> None:
    copy = StoreLayout(tmp_path / "store")
    shutil.copytree(store.root, copy.root)
    shutil.rmtree(copy.reports / "pictures")
    assert export(copy, tmp_path / "redrawn", None).num_pictures == 1
    shutil.rmtree(copy.shards)
    report = export(copy, tmp_path / "out", archive)
    assert (report.num_clips, report.num_pictures) == (1, 0)
    assert "is not a shard" in report.problems[0].reason
    note = report.items[0].clip_note
    assert note is not None
    assert note.num_asked == 0  # not known who is who: everybody is blurred


def test_a_video_that_breaks_while_it_is_cut_leaves_no_half_clip(
    store: StoreLayout, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: VideoClips, source: Path, start: float, stop: float, target: Path, edits: Any) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(VideoClips, "render", full)
    report = export(store, tmp_path / "out", archive, style=ClipStyle(blur=False))
    assert "No space left" in report.problems[0].reason
    assert list((tmp_path / "out/clips").iterdir()) == []


def test_an_export_that_is_interrupted_leaves_nothing(
    store: StoreLayout, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.export.exporting.write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        export(store, tmp_path / "out.zip", None)
    assert list(tmp_path.iterdir()) == []


CHOICES = {
    "id": Choice(hit_ids=("HIT",)),
    "sql": Choice(sql="select hit_id, camera from hits where camera = 'gate'"),
    "window": Choice(start_utc=datetime(2026, 3, 14, 9, tzinfo=UTC), stop_utc=datetime(2026, 3, 14, 9, 1, tzinfo=UTC)),
    "sweep": Choice(sweep_id="SWEEP"),
    "incident": Choice(incident_id="INCIDENT"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_hits_are_chosen_by(name: str, store: StoreLayout, tmp_path: Path) -> None:
    sql = "select hit_id, sweep_id, incident_id from hits join incidents using (sweep_id)"
    hit_id, sweep_id, incident_id = run_sql(store, sql)[1][0]
    choice = CHOICES[name]
    choice = replace(
        choice,
        hit_ids=(hit_id,) if choice.hit_ids else (),
        sweep_id=sweep_id if choice.sweep_id else "",
        incident_id=incident_id if choice.incident_id else "",
    )
    assert export(store, tmp_path / "out", None, choice=choice).num_hits == 1
    other = replace(choice, query_name="'; drop table hits; --")
    with pytest.raises(ConfigurationError, match="no published hit"):
        export(store, tmp_path / "none", None, choice=other)


def test_what_can_not_be_exported_is_refused_before_anything_is_written(
    store: StoreLayout, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigurationError, match="exists already"):
        export(store, tmp_path / "taken", archive)
    with pytest.raises(ConfigurationError, match="lies in the archive"):
        export(store, archive / "out", archive)
    with pytest.raises(ArchiveError, match="not a folder"):
        export(store, tmp_path / "out", tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="'nobody'"):
        export(store, tmp_path / "out", archive, choice=Choice(hit_ids=("nobody",)))
    with pytest.raises(QueryError, match="named hit_id"):
        export(store, tmp_path / "out", archive, choice=Choice(sql="select camera from hits"))
    with pytest.raises(QueryError, match="SELECT"):
        export(store, tmp_path / "out", archive, choice=Choice(sql="drop table hits"))
    with pytest.raises(ConfigurationError, match="at most 0"):
        export(store, tmp_path / "out", archive, max_hits=0)
    with pytest.raises(StoreError, match="anomalylmm sweep"):
        export(StoreLayout(tmp_path / "nostore"), tmp_path / "out", archive)
    with pytest.raises(ConfigurationError, match="nothing was chosen"):
        Choice()
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_export_is_noted_beside_the_searches(store: StoreLayout, tmp_path: Path) -> None:
    export(store, tmp_path / "noted.zip", None)
    notes = [search for search in read_waiting(store, SearchRecord) if search.text == "export to noted.zip"]
    assert [(note.num_results, note.filters["blur"]) for note in notes] == [(1, "True")]


def test_the_command_exports_and_says_what_is_missing(
    store: StoreLayout, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(profile: str | None, settings: Path | None) -> FakeComposition:
        return FakeComposition(load_settings(profile, settings))

    monkeypatch.setattr("flows.commands.export.compose", stand_in)
    shared = ["--store", str(store.root), "--query", "red", "--quiet", "--until", "2026-03-14"]
    arguments = ["export", str(tmp_path / "a"), *shared, "--archive", str(archive), "--json", "--no-blur"]
    whole = CliRunner().invoke(app, arguments)
    assert whole.exit_code == 0, whole.output
    assert json.loads(whole.stdout)["num_clips"] == 1
    lacking = CliRunner().invoke(app, ["export", str(tmp_path / "b"), *shared, "--strict"])
    assert lacking.exit_code == 8
    assert "no archive was named" in lacking.stdout

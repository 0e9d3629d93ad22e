"""What each run leaves of itself: its row, however it ended, without a word of what it looked at."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from anomalylmm.errors import ArchiveError, JudgeError, StoreBusyError
from anomalylmm.protocols import Views
from flows.cli import app
from flows.export.choice import Choice
from flows.export.clips import ClipStyle
from flows.export.exporting import ExportRequest, export_hits
from flows.index.indexing import index_archive
from flows.maintain.erasing import erase_store
from flows.runs.recording import recording
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.runs import read_runs
from storage.hits.writer import HitStore
from storage.upkeep.erasure_log import ErasureRule
from tests.drawn import compose_small, write_archive, write_queries
from tests.fakes import ColorJudge
from tests.faults import jobs
from tests.faults.forks import Job, one
from tests.faults.forks import run as run_jobs
from tests.listeners import Notes


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "archive")


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    return write_queries(tmp_path / "queries.toml")


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(tmp_path / "store")


class _SilentJudge(ColorJudge):
    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        raise JudgeError("the server of gate/2026-03-14 is gone")

    affirm = score_answers  # type: ignore[assignment]


def test_an_index_run_says_what_it_went_through_and_that_it_is_degraded(layout: StoreLayout, archive: Path) -> None:
    report = index_archive(compose_small(), layout, archive)
    (run,) = read_runs(layout)
    assert run == report.run
    assert (run.kind, run.state, run.reasons) == ("index", "Degraded", ("1 videos not read",))
    assert (run.num_videos, run.num_unreadable, run.num_quarantined) == (4, 1, 0)
    assert (run.frames_sampled, run.frames_detected, run.num_tracklets) == (48, 48, 6)
    assert run.num_crops == int(report.total("num_crops")) > 0
    assert run.coverage == 1.0
    assert set(run.stage_seconds) == {"decode", "detect", "track", "encode", "publish"}
    assert all(seconds > 0 for seconds in run.stage_seconds.values())
    assert run.ended_utc is not None
    assert run.ended_utc >= run.started_utc
    assert run.peak_memory_mib is not None
    assert run.peak_memory_mib > 10
    again = index_archive(compose_small(), layout, archive).run
    assert again is not None
    assert (again.state, again.num_videos, again.num_quarantined) == ("Completed", 0, 1)


def test_runs_of_all_kinds_are_asked_by_sql_and_name_nothing(
    layout: StoreLayout, archive: Path, queries: Path, tmp_path: Path
) -> None:
    composition = compose_small()
    index_archive(composition, layout, archive)
    swept = sweep_store(composition, layout, queries)
    found = search_store(composition, layout, SearchRequest(text="a person in a red jacket walking", judged=2))
    request = ExportRequest(output=tmp_path / "out", choice=Choice(query_name="red"), style=ClipStyle(blur=False))
    export_hits(composition, layout, request)
    erase_store(layout, [ErasureRule(cameras=("gate",))])
    sql = "SELECT kind, state, num_hits, num_calls > 0, stage_seconds['judge'] > 0 FROM runs ORDER BY started_utc"
    assert run_sql(layout, sql)[1] == [
        ("index", "Degraded", None, None, None),
        ("sweep", "Completed", swept.num_hits, True, True),
        ("search", "Completed", sum(result.accepted for result in found.results), True, True),
        ("export", "Degraded", 3, None, None),  # no archive, so no clips
        ("erase", "Completed", 3, None, None),
    ]
    joined = "SELECT count(*) FROM runs JOIN sweeps USING (sweep_id)"
    assert run_sql(layout, joined)[1] == [(1,)]
    text = "".join(path.read_text() for path in layout.runs.iterdir())
    assert not [word for word in ("gate", "yard", ".mp4", "jacket", "red", str(tmp_path)) if word in text]


def test_the_documents_questions_can_be_asked(layout: StoreLayout, archive: Path, queries: Path) -> None:
    index_archive(compose_small(), layout, archive)
    sweep_store(compose_small(), layout, queries)
    text = (Path(__file__).parents[2] / "docs/analyzing.md").read_text()
    (block,) = [part for part in text.split("```sql\n") if "FROM runs" in part]
    asked = [part for part in block.partition("```")[0].split(";") if part.strip()]
    assert [len(run_sql(layout, question)[1]) for question in asked] == [1, 1]


def test_a_sweep_whose_judge_is_silent_is_degraded_and_says_how_many_are_left(
    layout: StoreLayout, archive: Path, queries: Path
) -> None:
    composition = compose_small()
    index_archive(composition, layout, archive)
    composition.__dict__["judge"] = _SilentJudge()
    report = sweep_store(composition, layout, queries)
    assert report.run is not None
    assert (report.run.state, report.num_open > 0) == ("Degraded", True)
    assert report.run.reasons == (f"{report.num_open} candidates not judged",)
    found = search_store(composition, layout, SearchRequest(text="a person in a red jacket walking", judged=3))
    assert found.state == "Degraded"
    assert read_runs(layout)[-1].reasons == (f"{found.num_open} candidates not judged",)


def test_a_run_that_fails_says_so_by_the_kind_of_its_error(layout: StoreLayout, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        index_archive(compose_small(), layout, tmp_path / "missing")
    (run,) = read_runs(layout)
    assert (run.state, run.reasons) == ("Failed", ("ArchiveError",))


def test_an_erasure_that_finds_a_writer_at_work_is_no_run(layout: StoreLayout, archive: Path) -> None:
    index_archive(compose_small(), layout, archive)
    with HitStore(layout), pytest.raises(StoreBusyError):
        erase_store(layout, [ErasureRule(cameras=("gate",))])
    assert [run.kind for run in read_runs(layout)] == ["index"]


def test_a_run_that_is_interrupted_ended_early(layout: StoreLayout) -> None:
    with pytest.raises(KeyboardInterrupt), recording(layout, "search", Notes()):
        raise KeyboardInterrupt
    assert [run.state for run in read_runs(layout)] == ["Ended early"]


@pytest.mark.parametrize("job", ["index", "sweep"])
def test_a_killed_run_leaves_a_row(job: str, layout: StoreLayout, archive: Path, queries: Path, tmp_path: Path) -> None:
    one(jobs.index, store=str(layout.root), archive=str(archive))
    more = write_archive(tmp_path / "more", videos={"gate/2026-03-16/10-00-00.mp4": (("blue", 0, 3),)})
    do, given, point = {
        "index": (jobs.index, {"archive": str(more)}, "shard.index_written"),
        "sweep": (jobs.sweep, {"queries": str(queries)}, "sweep.committed"),
    }[job]
    (killed,) = run_jobs(Job(do=do, arguments={"store": str(layout.root), **given}, kill_at=point))
    assert killed.killed
    run = read_runs(layout)[-1]
    assert (run.kind, run.state, run.ended_utc, run.num_videos) == (job, "Ended early", None, None)


def test_what_can_not_be_noted_is_warned_of_and_ends_nothing(layout: StoreLayout, archive: Path) -> None:
    listener = Notes()
    layout.create()
    layout.runs.write_text("in the way")
    with recording(layout, "index", listener) as run:
        record = run.end("Completed", num_videos=3)
    assert record.num_videos == 3
    assert ["can't be recorded" in said for said in listener.warnings] == [True]


def test_the_commands_give_the_run_as_json(layout: StoreLayout, archive: Path, queries: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        composition = compose_small(archive={"settle_seconds": 0})
        patch.setattr("flows.commands.index_and_sweep.compose", lambda profile, settings: composition)
        store = ["--store", str(layout.root), "--json", "--quiet"]
        indexed = json.loads(CliRunner().invoke(app, ["index", str(archive), *store]).stdout)
        swept = json.loads(CliRunner().invoke(app, ["sweep", "--queries", str(queries), *store]).stdout)
    assert (indexed["run"]["kind"], indexed["run"]["state"], indexed["notes"]) == ("index", "Degraded", [])
    assert (swept["run"]["kind"], swept["run"]["num_hits"]) == ("sweep", swept["num_hits"])
    assert [run.run_id for run in read_runs(layout)] == [indexed["run"]["run_id"], swept["run"]["run_id"]]


def test_an_index_run_shows_its_notes(layout: StoreLayout, archive: Path) -> None:
    def compose(*_: object) -> object:
        composition = compose_small()
        decode = composition.settings.decode.model_copy(update={"videos_per_run": 1})
        composition.settings = composition.settings.model_copy(update={"decode": decode})
        return composition

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.commands.index_and_sweep.compose", compose)
        shown = CliRunner().invoke(app, ["index", str(archive), "--store", str(layout.root), "--quiet"]).stdout
    assert "note: 4 files are left to the next run" in shown

"""Erasing from the command line and by retention, and its effect on index runs, sweeps and searches."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import ConfigurationError, StoreBusyError, StoreError
from anomalylmm.records import Video
from flows.cli import app
from flows.index.indexing import build_plan
from flows.index.planning import plan_archive
from flows.index.units.unit import index_unit
from flows.maintain import flow as flow_maintain
from flows.maintain.erasing import describe_garbage, erase_store
from flows.maintain.retention import build_filter, build_rules, wait_for_turn
from flows.runs.progress import Silence
from flows.search import searching
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.settings.forms import MaintainForm
from flows.settings.model import Settings, load_settings
from flows.settings.sections import RetentionSettings
from flows.sweep.sweeping import sweep_store
from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.analyst import run_sql
from storage.hits.writer import HitStore
from storage.shards.manifest import Footage
from storage.upkeep import erasure
from storage.upkeep.erasure_log import ErasureRule, read_erasures, read_unfinished
from storage.upkeep.maintenance import GcReport, verify_store
from tests.drawn import write_queries
from tests.faults.erasure import jobs as erasure_jobs
from tests.faults.erasure.jobs import ARCHIVE, BROKEN, compose_noisy, write_noisy_archive
from tests.listeners import Notes

RUNNER = CliRunner()
OLD = ErasureRule(before_utc=datetime(2026, 3, 15, tzinfo=UTC))
NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, queries and a store that was indexed, swept and searched."""
    root = tmp_path_factory.mktemp("made")
    archive, queries = write_noisy_archive(root / "archive"), write_queries(root / "queries.toml")
    erasure_jobs.make(str(root / "store"), str(archive), str(queries))
    return root


@pytest.fixture
def layout(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreLayout:
    """A fresh copy of the store."""
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)
    return StoreLayout(shutil.copytree(made / "store", tmp_path / "store"))


@pytest.fixture
def _commands_use_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.commands.index_and_sweep.compose", lambda profile, settings: compose_noisy())


@pytest.fixture
def interrupted(layout: StoreLayout) -> StoreLayout:
    """A store in the middle of an erasure."""

    def fail(name: str) -> None:
        if name == "erasure.shards_removed":
            raise KeyboardInterrupt

    crashpoints.hooks.append(fail)
    with pytest.raises(KeyboardInterrupt):
        erase_store(layout, [OLD])
    crashpoints.hooks.remove(fail)
    return layout


def paths(layout: StoreLayout) -> set[str]:
    return {path for (path,) in run_sql(layout, "SELECT path FROM videos")[1]}


def erase(layout: StoreLayout, *arguments: str, answer: str | None = None) -> Any:
    return RUNNER.invoke(app, ["erase", "--store", str(layout.root), *arguments], input=answer)


@pytest.mark.usefixtures("_commands_use_stand_ins")
def test_a_rule_is_shown_and_applied_and_erased_footage_is_not_indexed_again(layout: StoreLayout, made: Path) -> None:
    shown = erase(layout, "--before", "2026-03-15", "--camera", "gate", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "gate" in shown.stdout
    assert "2 videos" in shown.stdout
    assert len(paths(layout)) == len(ARCHIVE)
    done = erase(layout, "--before", "2026-03-15", "--camera", "gate", "--yes")
    assert done.exit_code == 0, done.output
    assert "erased 2 videos" in done.stdout
    assert paths(layout) == {path for path in ARCHIVE if not path.startswith("gate/2026-03-14")}
    assert "walrus-one" not in (layout.reports / "sweep-latest.html").read_text()
    index = ["index", str(made / "archive"), "--store", str(layout.root), "--json", "--quiet"]
    again = json.loads(RUNNER.invoke(app, index).stdout)
    assert (again["videos"], again["erased_before"]) == (0, 2)
    asked = json.loads(RUNNER.invoke(app, [*index, "--erased"]).stdout)
    assert (asked["videos"], asked["erased_before"]) == (2, 0)
    assert verify_store(layout, deep=True).problems == ()


def test_nothing_is_erased_without_confirmation(layout: StoreLayout) -> None:
    refused = erase(layout, "--camera", "gate", answer="n\n")
    assert refused.exit_code == 1
    assert "can't be undone" in refused.output
    assert read_erasures(layout) == ()
    assert erase(layout, "--camera", "gate", answer="y\n").exit_code == 0
    assert {path.split("/")[0] for path in paths(layout)} == {"yard"}


def test_a_rule_that_matches_nothing_lists_the_cameras(layout: StoreLayout) -> None:
    result = erase(layout, "--camera", "gaet")
    assert result.exit_code == 0
    assert "gate, yard" in result.stdout


def test_a_dry_run_as_json_lists_the_videos_and_writes_nothing(layout: StoreLayout) -> None:
    before = sorted(layout.root.rglob("*"))
    told = json.loads(erase(layout, "--video", BROKEN, "--dry-run", "--json").stdout)
    assert (len(told["video_ids"]), told["shards"]) == (1, [])
    assert sorted(layout.root.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--older-than", "3", "--before", "2026-03-01"],
        ["--video", "x", "--camera", "gate"],
        ["--retention", "--camera", "gate"],
    ],
)
def test_empty_and_contradictory_rules_are_refused(layout: StoreLayout, arguments: list[str]) -> None:
    result = erase(layout, *arguments, "--yes")
    assert isinstance(result.exception, ConfigurationError)
    assert read_erasures(layout) == ()


def test_a_damaged_shard_that_may_contain_a_named_video_gives_exit_code_8(layout: StoreLayout) -> None:
    (manifest, *_) = layout.shards.rglob("yard/*/*/manifest.json")
    manifest.write_text("damaged")
    result = erase(layout, "--video", next(iter(ARCHIVE)), "--yes")
    assert result.exit_code == 8, result.output
    assert "erased 1 videos" in result.stdout


def test_erase_without_a_rule_finishes_what_was_interrupted(interrupted: StoreLayout) -> None:
    result = erase(interrupted, "--yes")
    assert result.exit_code == 0, result.output
    assert "erased 3 videos" in result.stdout
    assert read_unfinished(interrupted) == ()


def test_gc_finishes_what_was_interrupted_and_writes_the_page(interrupted: StoreLayout) -> None:
    assert RUNNER.invoke(app, ["verify", "--store", str(interrupted.root)]).exit_code == 5
    result = RUNNER.invoke(app, ["gc", "--store", str(interrupted.root)])
    assert "erased 3 videos" in result.stdout
    assert (interrupted.reports / "sweep-latest.html").exists()
    assert RUNNER.invoke(app, ["verify", "--store", str(interrupted.root)]).exit_code == 0


def test_a_sweep_first_finishes_an_interrupted_erasure(interrupted: StoreLayout, made: Path) -> None:
    report = sweep_store(compose_noisy(), interrupted, made / "queries.toml")
    assert report.sweep_id == ""  # what is left was swept before, also where its shard was rewritten
    assert read_unfinished(interrupted) == ()
    assert run_sql(interrupted, "SELECT count(*) FROM hits WHERE start_utc < '2026-03-15'")[1] == [(0,)]


def test_a_sweep_records_the_shards_of_the_pictures_it_asks_about(layout: StoreLayout) -> None:
    sql = "SELECT count(*), count(*) FILTER (len(shard_ids) = 0) FROM judgement_cache"
    with HitStore(layout) as hits:
        (number, without), *_ = hits.read(sql)
        assert number > without == 0
    erase_store(layout, [ErasureRule(before_utc=NOW)])
    with HitStore(layout) as hits:
        assert hits.read(sql) == [(0, 0)]


def test_a_unit_planned_before_an_erasure_publishes_nothing_erased(layout: StoreLayout, made: Path) -> None:
    composition = compose_noisy()
    empty = StoreLayout(layout.root.with_name("empty"))
    empty.create()
    units = build_plan(composition, empty, made / "archive").units
    shutil.copytree(layout.root, empty.root, dirs_exist_ok=True)
    erase_store(empty, [OLD])
    for unit in units:
        index_unit(composition, empty, made / "archive", unit, Silence())
    assert len(Gallery.open(empty, composition.pipeline.digest).video_ids) == 2
    assert verify_store(empty, deep=True).problems == ()


def test_the_page_of_a_search_during_an_erasure_is_removed(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = searching.mean_views

    def erase_meanwhile(views: Any) -> Any:
        monkeypatch.setattr(searching, "mean_views", encode)
        found = encode(views)
        monkeypatch.setattr(searching, "load_images", loading(searching.load_images))
        return found

    def loading(load: Any) -> Any:
        def load_then_erase(*arguments: Any, **options: Any) -> Any:
            loaded = load(*arguments, **options)
            erase_store(layout, [OLD])
            return loaded

        return load_then_erase

    monkeypatch.setattr(searching, "mean_views", erase_meanwhile)
    with pytest.raises(StoreError, match="run the search again"):
        search_store(compose_noisy(), layout, SearchRequest(text="a person in a red jacket"))
    assert not (layout.reports / "search-latest.html").exists()


def test_there_is_no_retention_by_default_and_cameras_may_have_their_own() -> None:
    assert build_rules(Settings().retention, NOW) == ()
    retention = {"days": 30, "cameras": [{"name": "gate", "days": 2}, {"name": "vault", "days": 0}]}
    rules = build_rules(RetentionSettings.model_validate(retention), NOW)

    def is_old(camera: str, days: float) -> bool:
        facts: dict[str, Any] = {
            "video_id": "v",
            "path": "p",
            "camera": camera,
            "start_utc": NOW - timedelta(days=days),
        }
        return any(rule.matches(Footage(**facts)) for rule in rules)

    assert [is_old("gate", days) for days in (1, 3)] == [False, True]
    assert [is_old("yard", days) for days in (3, 31)] == [False, True]
    assert not is_old("vault", 10_000)
    assert load_settings(environment={"ANOMALYLMM_RETENTION__DAYS": "7"}).retention.days == 7


def test_a_camera_may_have_one_retention_only() -> None:
    twice = {"cameras": [{"name": "gate", "days": 2}, {"name": "gate", "days": 3}]}
    with pytest.raises(ValueError, match="named once"):
        RetentionSettings.model_validate(twice)


def test_footage_older_than_the_retention_is_neither_indexed_nor_counted(tmp_path: Path) -> None:
    archive = write_noisy_archive(tmp_path / "archive")
    settings = compose_noisy(
        retention={"cameras": [{"name": "yard", "days": 1}]}, decode={"videos_per_run": 4}
    ).settings
    layout = StoreLayout(tmp_path / "store")
    found: list[Video] = []
    passes = build_filter(layout, archive, settings)

    def note(video: Video) -> bool:
        found.append(video)
        return passes(video)

    plan = plan_archive(
        archive, settings, known=frozenset(), quarantined=frozenset(), probe_start=lambda path: None, is_erased=note
    )
    assert plan.erased == 3
    assert {unit.camera for unit in plan.units} == {"gate"}
    assert len(found) >= len(ARCHIVE)


def test_the_flow_applies_the_retention_and_reports_what_was_erased(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr(flow_maintain, "show_markdown", lambda key, text, about: shown.update({key: text}))
    monkeypatch.setattr(flow_maintain, "show_table", lambda key, rows, about: shown.update({key: rows}))
    monkeypatch.setattr(flow_maintain, "RunProgress", Silence)
    form = MaintainForm(store=str(layout.root), action="apply retention")
    kept = flow_maintain.maintain.fn(form)
    assert kept.message is not None
    assert "everything is kept" in kept.message
    days = (datetime.now(UTC) - OLD.before_utc) / timedelta(days=1) if OLD.before_utc else 0
    monkeypatch.setenv("ANOMALYLMM_RETENTION__DAYS", str(days))
    ended = flow_maintain.maintain.fn(form)
    assert ended.message is not None
    assert "erased 3 videos" in ended.message
    assert "began before 2026" in shown["maintain-retention"].replace("\\", "")
    assert {row["camera"] for row in shown["maintain-erased"]} == {"gate", "yard"}
    assert "nothing to erase" in str(flow_maintain.maintain.fn(form).message)


def test_the_retention_waits_for_the_writer(layout: StoreLayout) -> None:
    notes = Notes()

    def work() -> str:
        if len(notes.warnings) < 3:
            with HitStore(layout):
                erase_store(layout, [OLD])
        return "done"

    assert wait_for_turn(work, notes, pause_seconds=0.01) == "done"
    assert len(notes.warnings) == 3
    notes.warnings.clear()
    with pytest.raises(StoreBusyError):
        wait_for_turn(work, notes, max_tries=2, pause_seconds=0.01)


def test_garbage_that_is_left_is_named_with_its_time() -> None:
    path = Path("temporary/a")
    assert describe_garbage(GcReport(removed=(path,), num_bytes=2_000_000)) == "removed 1 abandoned builds, 2.0 MB"
    left = GcReport(removed=(), num_bytes=0, left=(path,), num_bytes_left=3_100_000)
    assert "left 1, 3.1 MB, that changed in the last 60 minutes" in describe_garbage(left)

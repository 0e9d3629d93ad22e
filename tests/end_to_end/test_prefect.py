"""The Prefect flows with stand-in models, against Prefect's own test server."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import ArtifactSort
from prefect.events import EventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.flow_engine import run_flow
from prefect.testing.utilities import prefect_test_harness

from flows.export.flow import export
from flows.index.flow import index_archive
from flows.index.indexing import build_plan
from flows.maintain.flow import maintain
from flows.runs.progress import Silence
from flows.search.flow import search_now
from flows.serve.automations import NAME, build_zombie_automation, ensure_zombie_automation
from flows.serve.deployments import ServeOptions, build_deployments
from flows.settings.forms import ExportForm, IndexForm, MaintainForm, SearchForm, StoreForm, SweepForm
from flows.sweep.flow import sweep
from flows.workers import jobs, pools
from flows.workers.flow import index_unit
from storage.disk.layout import StoreLayout
from storage.hits.runs import read_runs
from tests.fakes import FakeComposition, compose, write_video

COMPOSITION = compose()


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=240):
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write_video(folder / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 5)])
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def stand_in(form: StoreForm) -> FakeComposition:
        return COMPOSITION

    monkeypatch.setattr(StoreForm, "compose", stand_in)
    monkeypatch.setattr(jobs, "open_composition", lambda settings: COMPOSITION)
    return str(tmp_path / "store")


def state_of(flow: Flow[..., object], form: StoreForm) -> tuple[str, str]:
    state = flow(form, return_state=True)
    return state.name or "", state.message or ""


def artifacts(key: str) -> list[str]:
    """What was shown under a key, oldest first."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC
        )
    return [str(item.data) for item in reversed(found)]


def test_a_night_from_archive_to_hits_with_pictures_in_its_summary(archive: Path, store: str, tmp_path: Path) -> None:
    queries = tmp_path / "queries.toml"
    queries.write_text('[[query]]\nname = "red"\ntext = "a person in a red coat walking"\nfloor = -10\n')
    form = SweepForm(store=store, archive=str(archive), queries_file=str(queries))
    name, message = state_of(sweep, form)
    assert (name, message.split(",")[0]) == ("Completed", "1 hits (1 new) in 1 incidents")
    assert "data:image/jpeg;base64," in artifacts("sweep-summary")[-1]
    runs = read_runs(StoreLayout(Path(store)))
    assert {run.kind for run in runs} == {"index", "sweep"}
    assert all(run.flow_run_id and run.flow_run_url.endswith(run.flow_run_id) for run in runs)
    assert state_of(maintain, MaintainForm(store=store, action="verify every byte"))[0] == "Completed"


def test_cameras_are_indexed_at_once_where_the_settings_say_so(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreForm, "compose", lambda _: compose(shards={"at_once": 2}))
    mine = tmp_path / "archive"
    for camera, color in (("door", "red"), ("gate", "green"), ("yard", "blue")):
        write_video(mine / f"{camera}/2026-03-14/10-00-00.mp4", [(color, 0, 5)])
    name, message = state_of(index_archive, IndexForm(store=store, archive=str(mine)))
    assert (name, message.split(",")[:2]) == ("Completed", ["3 new videos", " 3 tracklets"])
    assert [row["camera"] for row in json.loads(artifacts("index-units")[-1])] == ["door", "gate", "yard"]


def test_a_unit_as_a_run_of_its_own_leaves_its_report_for_the_index_run(store: str, tmp_path: Path) -> None:
    mine, layout = tmp_path / "archive", StoreLayout(Path(store))
    write_video(mine / "caf\udce9/2026-03-14/10-00-00.mp4", [("red", 0, 5)])
    (mine / "caf\udce9/2026-03-14/11-00-00.mp4").write_text("no video")
    layout.create()
    (job,) = jobs.build_jobs(COMPOSITION, layout, mine, build_plan(COMPOSITION, layout, mine).units)
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(index_unit, parameters={"job": job.to_text()})
        state = run_flow(index_unit, flow_run=run, return_type="state")
        report = pools._Pool(client, run.id, [job], "", Silence())._read_report(client.read_flow_run(run.id))
    assert isinstance(state, State)
    assert (state.name, report and report.num_videos) == ("Degraded", 1)
    assert report is not None
    assert [item.path for item in report.unreadable] == ["caf\udce9/2026-03-14/11-00-00.mp4"]


def test_an_index_run_with_a_damaged_video_ends_degraded_and_names_it(
    archive: Path, store: str, tmp_path: Path
) -> None:
    mine = tmp_path / "archive"
    write_video(mine / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 5)])
    (mine / "gate/2026-03-14/11-00-00.mp4").write_text("no video")
    name, message = state_of(index_archive, IndexForm(store=store, archive=str(mine)))
    assert name == "Degraded"
    assert "1 unreadable now" in message
    assert "11-00-00.mp4" in artifacts("index-unreadable")[-1]
    found = state_of(search_now, SearchForm(store=store, text="a person in <b>red</b>"))
    assert found[0] == "Completed"
    assert "<b>" not in artifacts("search-results")[-1]


def test_a_search_by_a_picture_runs_without_a_sentence_and_a_wrong_path_is_named(
    archive: Path, store: str, tmp_path: Path
) -> None:
    index_archive(IndexForm(store=store, archive=str(archive)))
    picture = tmp_path / "red.png"
    cv2.imwrite(str(picture), np.full((60, 30, 3), (40, 40, 220), np.uint8))  # BGR
    name, message = state_of(search_now, SearchForm(store=store, like=str(picture)))
    assert (name, message.split(",")[0]) == ("Completed", "1 results")
    assert any("red\\.png" in shown for shown in artifacts("search-results"))
    name, message = state_of(search_now, SearchForm(store=store, like=str(tmp_path / "missing.png")))
    assert name == "Failed"
    assert "neither the id of a crop" in message
    assert "empty" in state_of(search_now, SearchForm(store=store))[1]


def test_an_export_ends_degraded_where_a_video_is_gone(archive: Path, store: str, tmp_path: Path) -> None:
    queries = tmp_path / "queries.toml"
    queries.write_text('[[query]]\nname = "red"\ntext = "a person in a red coat walking"\nfloor = -10\n')
    sweep(SweepForm(store=store, archive=str(archive), queries_file=str(queries)))
    form = ExportForm(store=store, output=str(tmp_path / "a.zip"), query="red", archive=str(archive), blur=False)
    assert state_of(export, form)[0] == "Completed"
    name, message = state_of(export, ExportForm(store=store, output=str(tmp_path / "b"), stop=date(2026, 3, 14)))
    assert (name, message[:15]) == ("Degraded", "1 hits, 0 clips")
    assert any("no archive was named" in shown for shown in artifacts("export-hits"))
    assert state_of(export, form)[0] == "Failed"  # the name is taken


def test_a_missing_archive_fails_with_what_to_do(store: str, tmp_path: Path) -> None:
    name, message = state_of(index_archive, IndexForm(store=store, archive=str(tmp_path / "missing")))
    assert name == "Failed"
    assert "not a folder" in message


def test_serving_twice_makes_one_automation_that_ends_killed_runs() -> None:
    first = ensure_zombie_automation()
    with get_client(sync_client=True) as client:
        stale = build_zombie_automation(30).model_dump(exclude={"owner_resource"})
        client.update_automation(first, AutomationCore.model_validate({**stale, "enabled": False}))
        assert ensure_zombie_automation() == first
        (made,) = client.read_automations_by_name(NAME)
        client.create_automation(build_zombie_automation(30))
        ensure_zombie_automation()
        assert len(client.read_automations_by_name(NAME)) == 1
    assert isinstance(made.trigger, EventTrigger)
    assert {"prefect.flow-run.heartbeat", "prefect.flow-run.Degraded"} <= made.trigger.expect
    assert made.trigger.after == {"prefect.flow-run.heartbeat", "prefect.flow-run.Pending"}  # it may die at its start
    assert (made.trigger.posture, made.trigger.within.total_seconds()) == (Posture.Proactive, 540)
    (action,) = made.actions
    assert isinstance(action, ChangeFlowRunState)
    assert action.state == "CRASHED"
    assert not made.enabled  # as somebody has set it


def test_the_server_schedules_the_nightly_sweep() -> None:
    """SQLAlchemy 2.1 made prefect 3.8 fail here, so that the night never came: hence the pin."""
    deployments = build_deployments(ServeOptions(store="s", profile="pocket"))
    (night,) = [item for item in deployments if item.name == "nightly-sweep"]
    deployment_id = night.apply()
    with get_client(sync_client=True) as client:
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment_id}, json={"max_runs": 3})
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])), limit=3
        )
    assert len(runs) == 3
    assert {run.state_name for run in runs} == {"Scheduled"}

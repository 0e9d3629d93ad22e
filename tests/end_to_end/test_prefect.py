"""The Prefect flows with stand-in models, against Prefect's own test server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, DeploymentFilter, DeploymentFilterId
from prefect.testing.utilities import prefect_test_harness

from flows.deployments import ServeOptions, build_deployments
from flows.flow_index import index_archive
from flows.flow_maintain import maintain
from flows.flow_search import search_now
from flows.flow_sweep import sweep
from flows.forms import IndexForm, MaintainForm, SearchForm, StoreForm, SweepForm
from tests.fakes import FakeComposition, compose, write_video

COMPOSITION = compose()


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
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
    return str(tmp_path / "store")


def state_of(flow: Flow[..., object], form: StoreForm) -> tuple[str, str]:
    state = flow(form, return_state=True)
    return state.name or "", state.message or ""


def artifacts(key: str) -> list[str]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key={"any_": [key]}))
    return [str(item.data) for item in found]


def test_a_night_from_archive_to_hits_with_pictures_in_its_summary(archive: Path, store: str, tmp_path: Path) -> None:
    queries = tmp_path / "queries.toml"
    queries.write_text('[[query]]\nname = "red"\ntext = "a person in a red coat walking"\nfloor = -10\n')
    form = SweepForm(store=store, archive=str(archive), queries_file=str(queries))
    name, message = state_of(sweep, form)
    assert (name, message.split(",")[0]) == ("Completed", "1 hits in 1 incidents")
    assert "data:image/jpeg;base64," in artifacts("sweep-summary")[-1]
    assert state_of(maintain, MaintainForm(store=store, action="verify every byte"))[0] == "Completed"


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


def test_a_missing_archive_fails_with_what_to_do(store: str, tmp_path: Path) -> None:
    name, message = state_of(index_archive, IndexForm(store=store, archive=str(tmp_path / "missing")))
    assert name == "Failed"
    assert "not a folder" in message


def test_the_server_schedules_the_nightly_sweep() -> None:
    """SQLAlchemy 2.1 made prefect 3.8 fail here, so that the night never came: hence the pin."""
    (night,) = [item for item in build_deployments(ServeOptions(store="s", profile="pocket")) if item.schedules]
    deployment_id = night.apply()
    with get_client(sync_client=True) as client:
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment_id}, json={"max_runs": 3})
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])), limit=3
        )
    assert len(runs) == 3
    assert {run.state_name for run in runs} == {"Scheduled"}

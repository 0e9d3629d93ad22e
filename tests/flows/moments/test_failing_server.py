"""Moments of an archive by address whose server fails while a sweep or a search asks for them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalylmm.errors import ArchiveError
from flows.index.indexing import index_archive
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.sweep.outcome import SweepReport
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import FakeComposition, compose, write_video
from tests.faulty_server import ARCHIVE, FAULTS, FaultyServer, faulty_server

QUERIES = '[[query]]\nname = "red"\ntext = "a person in a red jacket walking"\nfloor = -10\naccept = 0.5\n'
CAMERAS = ("dock", "gate", "yard")
HITS_SQL = "select camera, best_seconds, round(confidence, 6) from hits order by all"
MAX_FAULTS = 2 * 3  # two videos, three tries each


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number, camera in enumerate(CAMERAS):
        write_video(folder / camera / "2026-03-14/10-00-00.mp4", [("red", number, 6)])
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FaultyServer]:
    with pytest.MonkeyPatch.context() as patch, faulty_server(patch) as server:
        server.put(folder)
        yield server


def composition(tmp_path: Path, wait_seconds: float = 20.0) -> FakeComposition:
    return compose(
        archive={"scratch": str(tmp_path), "settle_seconds": 0, "wait_seconds": wait_seconds},
        rerank={"moment_frames": 4, "moment_seconds": 1.0},
    )


@pytest.fixture(scope="module")
def original(server: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    folder = tmp_path_factory.mktemp("original")
    layout = StoreLayout(folder / "store")
    assert index_archive(composition(folder), layout, ARCHIVE).state == "Completed"
    return layout


@pytest.fixture
def store(original: StoreLayout, tmp_path: Path) -> StoreLayout:
    return StoreLayout(Path(shutil.copytree(original.root, tmp_path / "store")))


def sweep(store: StoreLayout, archive: Path | None = None) -> SweepReport:
    file = store.root.parent / "queries.toml"
    file.write_text(QUERIES)
    return sweep_store(composition(store.root.parent), store, file, archive=archive)


def evidence(store: StoreLayout) -> dict[str, str]:
    return dict(run_sql(store, "select camera, evidence from judgements")[1])


def is_moment(text: str) -> bool:
    return text.startswith("4 frames of the archive")


@pytest.mark.parametrize("content_only", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_sweep_without_its_server_is_degraded_and_is_made_up_for(
    server: FaultyServer, store: StoreLayout, fault: str, content_only: bool
) -> None:
    with server.failing(fault, content_only=content_only):
        night = sweep(store)
    assert server.num_faults <= (len(CAMERAS) if fault == "denied" else MAX_FAULTS)
    assert (night.state, night.num_without_moment, night.num_hits) == ("Degraded", 3, 3)
    assert any("judged again by the next sweep" in warning for warning in night.warnings)
    assert not any(map(is_moment, evidence(store).values()))
    hits = run_sql(store, HITS_SQL)[1]
    assert run_sql(store, "select count(*) from coverage")[1] == [(0,)]  # all shards are still to be judged
    morning = sweep(store)
    assert (morning.state, morning.num_new) == ("Completed", 0)
    assert all(map(is_moment, evidence(store).values()))
    assert run_sql(store, HITS_SQL)[1] == hits
    assert sweep(store).sweep_id == ""
    assert not list(store.temporary.iterdir())


@pytest.mark.parametrize("fault", FAULTS)
def test_one_video_that_fails_costs_no_other_its_moment(server: FaultyServer, store: StoreLayout, fault: str) -> None:
    with server.failing(fault, where="yard"):
        assert sweep(store).state == "Degraded"
    found = {camera: is_moment(text) for camera, text in evidence(store).items()}
    assert found == {"dock": True, "gate": True, "yard": False}
    assert sweep(store).state == "Completed"


def test_videos_that_lie_elsewhere_too_are_read_there(
    server: FaultyServer, store: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other", ignore=shutil.ignore_patterns("dock")))
    with server.failing("silent", content_only=True):
        assert sweep(store, other).state == "Degraded"
    found = evidence(store)
    assert {camera: is_moment(text) for camera, text in found.items()} == {"dock": False, "gate": True, "yard": True}
    assert "no answer" in found["dock"]


def test_a_search_asks_a_silent_server_once(server: FaultyServer, store: StoreLayout, tmp_path: Path) -> None:
    request = SearchRequest(text="a person in a red jacket walking")
    with server.failing("silent", content_only=True):
        report = search_store(composition(tmp_path, 0.2), store, request)
    assert server.num_faults == 1
    assert report.state == "Degraded"
    assert any("was given up in this run" in result.evidence for result in report.results)


@pytest.mark.parametrize("fault", ["denied", "failing", "cut"])
def test_one_video_that_fails_costs_a_search_no_other(
    server: FaultyServer, store: StoreLayout, tmp_path: Path, fault: str
) -> None:
    request = SearchRequest(text="a person in a red jacket walking")
    with server.failing(fault, where="dock"):
        report = search_store(composition(tmp_path), store, request)
    found = {result.camera: is_moment(result.evidence) for result in report.results}
    assert found == {"dock": False, "gate": True, "yard": True}


def test_a_search_for_somebody_like_in_a_moment_says_that_its_server_is_silent(
    server: FaultyServer, store: StoreLayout, tmp_path: Path
) -> None:
    request = SearchRequest(like="gate/2026-03-14/10-00-00.mp4@2")
    with server.failing("silent", content_only=True), pytest.raises(ArchiveError, match="no answer") as caught:
        search_store(composition(tmp_path, 0.2), store, request)
    assert caught.value.exit_code == 4
    assert server.num_faults == 1

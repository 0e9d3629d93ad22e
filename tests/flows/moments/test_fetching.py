"""Moments in a sweep: from the archive where it can be reached, else stored crops with the reason."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from flows.index.indexing import index_archive
from flows.moments import fetching, places
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.sweep.outcome import SweepReport
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import compose, write_video

MOMENTS = {"rerank": {"moment_frames": 4, "moment_seconds": 1.0}}
QUERIES = '[[query]]\nname = "red"\ntext = "a person in a red jacket walking"\nfloor = -10\naccept = 0.5\n'
GATE, YARD = "gate/2026-03-14/10-00-00.mp4", "yard/2026-03-14/10-00-00.mp4"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive beside the store that was made from it."""
    folder = tmp_path_factory.mktemp("original")
    write_video(folder / "archive" / GATE, [("red", 0, 6)])
    write_video(folder / "archive" / YARD, [("red", 1, 6)])
    index_archive(compose(), StoreLayout(folder / "store"), folder / "archive")
    return folder


@pytest.fixture
def store(original: Path, tmp_path: Path) -> StoreLayout:
    shutil.copytree(original / "store", tmp_path / "store")
    return StoreLayout(tmp_path / "store")


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Path:
    """A copy of the archive at another place."""
    return Path(shutil.copytree(original / "archive", tmp_path / "moved"))


def run_sweep(store: StoreLayout, folder: Path, archive: Path | None) -> SweepReport:
    file = folder / "queries.toml"
    file.write_text(QUERIES)
    return sweep_store(compose(**MOMENTS), store, file, archive=archive)


def sweep(store: StoreLayout, folder: Path, archive: Path | None) -> dict[str, str]:
    """Sweeps and gives what each camera's candidate was judged by; without a moment the run is degraded."""
    report = run_sweep(store, folder, archive)
    assert not list(store.temporary.iterdir())
    rows = run_sql(store, "select camera, evidence from judgements")[1]
    hits = run_sql(store, "select camera, evidence from hits")[1]
    assert dict(hits) == dict(rows)  # in a rendered scene all walk in red
    num_missing = sum(seen.startswith("stored crops") for _, seen in rows)
    assert report.state == ("Degraded" if num_missing else "Completed")
    assert report.run is not None
    expected = (f"{num_missing} candidates judged without their moment",) if num_missing else ()
    assert report.run.reasons == expected
    return dict(rows)


def test_the_store_knows_its_archive_and_the_report_shows_the_frames(store: StoreLayout, tmp_path: Path) -> None:
    assert all(seen.startswith("4 frames of the archive, ") for seen in sweep(store, tmp_path, None).values())
    pictures = list((store.reports / "pictures").glob("*.jpg"))
    assert {cv2.imread(str(path)).shape for path in pictures} == {(320 + 160, 640, 3)}
    assert "judged by 4 frames of the archive" in (store.reports / "sweep-latest.html").read_text()


@contextmanager
def unmounted(original: Path) -> Iterator[None]:
    """Takes the archive away for a while."""
    away = (original / "archive").rename(original / "away")
    try:
        yield
    finally:
        away.rename(original / "archive")


def test_an_archive_that_moved_is_named(store: StoreLayout, archive: Path, original: Path, tmp_path: Path) -> None:
    with unmounted(original):
        found = sweep(store, tmp_path, archive)
        assert all(seen.startswith("4 frames of the archive") for seen in found.values())


def test_an_unmounted_archive_leaves_stored_crops_and_says_so(
    store: StoreLayout, original: Path, tmp_path: Path
) -> None:
    with unmounted(original):
        found = sweep(store, tmp_path, None)
    assert all(seen.startswith("stored crops: the archive ") for seen in found.values())
    assert all("can't be reached" in seen for seen in found.values())
    assert "judged by stored crops: the archive" in (store.reports / "sweep-latest.html").read_text()


def test_the_next_sweep_judges_again_what_an_unmounted_archive_kept_back(
    store: StoreLayout, original: Path, tmp_path: Path
) -> None:
    with unmounted(original):
        night = run_sweep(store, tmp_path, None)
        again = run_sweep(store, tmp_path, None)
    assert any("judged again by the next sweep" in warning for warning in night.warnings)
    assert (again.num_hits, again.num_calls, again.num_new) == (night.num_hits, 0, 0)  # all from the cache
    assert all(seen.startswith("4 frames of the archive, ") for seen in sweep(store, tmp_path, None).values())
    assert run_sweep(store, tmp_path, None).sweep_id == ""  # nothing is left to judge


def _erase(path: Path) -> None:
    path.unlink()


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize("spoil", [_erase, _cut_off])
def test_one_changed_video_costs_no_other_its_moment(
    store: StoreLayout, original: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    kept = (original / "archive" / YARD).read_bytes()
    spoil(original / "archive" / YARD)
    try:
        found = sweep(store, tmp_path, None)
    finally:
        (original / "archive" / YARD).write_bytes(kept)
    assert found["gate"].startswith("4 frames of the archive")
    assert found["yard"].startswith("stored crops: ")
    assert YARD in found["yard"]
    assert run_sweep(store, tmp_path, None).sweep_id == ""  # a video that is gone is not waited for


def test_frames_that_are_not_those_of_the_index_are_not_believed(
    store: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "shows_crop", lambda *_: False)
    found = sweep(store, tmp_path, None)
    assert set(found.values()) == {f"stored crops: {fetching.OTHER_PICTURE}"}


def test_memory_for_moments_is_limited(store: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1)
    seen = sorted(sweep(store, tmp_path, None).values())
    assert seen[0].startswith("4 frames of the archive")
    assert seen[1] == f"stored crops: {fetching.TOO_MANY}"


def test_a_file_system_that_does_not_answer_is_given_up(
    store: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "VideoPlaces", lambda *given, **_: places.VideoPlaces(*given, patience_seconds=0.05))
    monkeypatch.setattr(places, "Sources", lambda *_: time.sleep(2.0))
    found = sweep(store, tmp_path, None)
    assert all("can't be reached" in seen for seen in found.values())


def test_a_search_judges_moments_too(store: StoreLayout, archive: Path) -> None:
    request = SearchRequest(text="a person in a red jacket walking", archive=archive)
    report = search_store(compose(**MOMENTS), store, request)
    assert {result.evidence.partition(",")[0] for result in report.results} == {"4 frames of the archive"}
    assert "judged by 4 frames" in Path(report.page_path).read_text()
    assert report.state == "Completed"


def test_a_search_without_its_moments_is_degraded_and_says_why(
    store: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "shows_crop", lambda *_: False)
    report = search_store(compose(**MOMENTS), store, SearchRequest(text="a person in a red jacket walking"))
    assert report.state == "Degraded"
    assert any(warning.endswith(fetching.OTHER_PICTURE) for warning in report.warnings)
    assert fetching.OTHER_PICTURE in Path(report.page_path).read_text()


def test_without_the_setting_no_archive_is_looked_for(
    store: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "VideoPlaces", None)
    file = tmp_path / "queries.toml"
    file.write_text(QUERIES)
    sweep_store(compose(), store, file)
    assert {seen for (seen,) in run_sql(store, "select evidence from judgements")[1]} == {"stored crops"}

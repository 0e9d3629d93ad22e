"""The searcher that stays warm."""

import shutil
from pathlib import Path

import pytest

from anomalylmm.errors import StoreError
from flows.index.indexing import index_archive
from flows.maintain.erasing import erase_store
from flows.search import searcher as searcher_module
from flows.search.outcome import SearchReport, SearchRequest
from flows.search.searcher import Searcher
from flows.search.searching import search_store
from storage.disk.layout import StoreLayout
from storage.upkeep.erasure_log import ErasureRule
from tests.drawn import compose_small, write_archive

REQUEST = SearchRequest(text="a person in a red jacket walking", judged=5)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("searcher")
    index_archive(compose_small(), StoreLayout(root / "store"), write_archive(root / "archive"))
    return root / "store"


@pytest.fixture
def layout(indexed: Path, tmp_path: Path) -> StoreLayout:
    return StoreLayout(shutil.copytree(indexed, tmp_path / "store"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one each time a gallery is opened."""
    times: list[int] = []
    real = searcher_module.open_gallery
    monkeypatch.setattr(searcher_module, "open_gallery", lambda *given: times.append(1) or real(*given))
    return times


def _ranking(report: SearchReport) -> list[tuple[str, float]]:
    return [(result.tracklet_id, result.score) for result in report.results]


def test_a_searcher_finds_what_a_single_search_finds_and_opens_the_gallery_once(
    layout: StoreLayout, opened: list[int]
) -> None:
    searcher = Searcher(compose_small(), layout)
    searcher.warm()
    reports = [searcher.search(REQUEST) for _ in range(2)]
    assert len(opened) == 1
    alone = _ranking(search_store(compose_small(), layout, REQUEST))
    assert [_ranking(report) for report in reports] == [alone, alone]
    assert len(alone) > 1


def test_the_gallery_is_opened_again_and_pictures_are_forgotten_when_footage_was_erased(
    layout: StoreLayout, opened: list[int]
) -> None:
    searcher, forgotten = Searcher(compose_small(), layout), list[int]()
    searcher.composition.judge.forget_pictures = lambda: forgotten.append(1)  # type: ignore[attr-defined]
    before = searcher.search(REQUEST)
    searcher.search(REQUEST)
    erase_store(layout, [ErasureRule(cameras=("gate",))])
    assert len(forgotten) == 1  # when the gallery was first opened
    after = searcher.search(REQUEST)
    assert len(opened) == len(forgotten) == 2
    assert {result.camera for result in before.results} == {"gate", "yard"}
    assert {result.camera for result in after.results} == {"yard"}


def test_the_gallery_is_opened_again_when_footage_was_added(layout: StoreLayout, tmp_path: Path) -> None:
    searcher = Searcher(compose_small(), layout)
    before = searcher.search(REQUEST)
    more = {"roof/2026-03-14/10-00-00.mp4": (("red", 0, 3),)}
    index_archive(compose_small(), layout, write_archive(tmp_path / "more", videos=more))
    after = searcher.search(REQUEST)
    assert {result.camera for result in after.results} - {result.camera for result in before.results} == {"roof"}


def test_what_draws_results_is_loaded_by_warming(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    searcher, loaded = Searcher(compose_small(), layout), list[str]()
    real = searcher.composition.mapper.patch_maps
    monkeypatch.setattr(searcher.composition.mapper, "patch_maps", lambda *given: loaded.append("maps") or real(*given))
    monkeypatch.setattr(searcher_module, "load_template", lambda: loaded.append("template"))
    searcher.warm()
    assert sorted(loaded) == ["maps", "template"]


def test_an_empty_store_can_be_warmed_and_says_so_when_searched(tmp_path: Path) -> None:
    searcher = Searcher(compose_small(), StoreLayout(tmp_path / "store"))
    searcher.warm()
    with pytest.raises(StoreError, match="no shard"):
        searcher.search(REQUEST)

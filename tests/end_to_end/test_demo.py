"""The shipped models on the beginning of a video of the demo archive: the whole job with nothing replaced."""

from pathlib import Path

import pytest

from flows.composition import Composition
from flows.index.indexing import IndexReport, index_archive
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.settings.model import load_settings
from flows.sweep.outcome import SweepReport
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.end_to_end.demo_archive import DEMO, SQUARE, Event, cut_video, read_events

CAMERA = "square"
SECONDS = 10
DOWN = {"lying", "falling", "collapsing", "crashing"}  # a fall ends in lying


@pytest.fixture(scope="module")
def composition() -> Composition:
    return Composition(load_settings("pocket", DEMO / "settings.toml", {}))


@pytest.fixture(scope="module")
def night(
    composition: Composition, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StoreLayout, IndexReport, SweepReport]:
    folder = tmp_path_factory.mktemp("demo")
    cut_video(SQUARE, folder / "archive" / SQUARE, SECONDS)
    layout = StoreLayout(folder / "store")
    indexed = index_archive(composition, layout, folder / "archive")
    return layout, indexed, sweep_store(composition, layout, DEMO / "queries.toml")


def test_the_archive_is_read_whole_and_persons_are_found(
    night: tuple[StoreLayout, IndexReport, SweepReport],
) -> None:
    _, indexed, _ = night
    assert indexed.state == "Completed"
    assert indexed.total("video_seconds") == pytest.approx(SECONDS, abs=1)
    assert indexed.total("num_tracklets") >= 5


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return read_events(DEMO / "truth.json", CAMERA)


def test_most_crops_show_a_person_of_the_truth(
    night: tuple[StoreLayout, IndexReport, SweepReport], events: list[Event]
) -> None:
    layout, _, _ = night
    _, rows = run_sql(layout, "select pts_seconds, box_xyxy_px from crops")
    right = sum(
        any(
            event.start_seconds <= pts_seconds <= event.stop_seconds
            and event.overlap_at(pts_seconds, tuple(box)) >= 0.3
            for event in events
        )
        for pts_seconds, box in rows
    )
    assert right / len(rows) > 0.5  # 38 of 60 with the first weights, which take a bench's leg for a person


def test_the_sweep_finds_who_lies_on_the_ground(
    night: tuple[StoreLayout, IndexReport, SweepReport], events: list[Event]
) -> None:
    layout, _, swept = night
    assert swept.state == "Completed"
    assert swept.num_calls > 0
    sql = "select video_path, start_seconds, stop_seconds, best_seconds, box_xyxy_px, query_name from hits"
    _, hits = run_sql(layout, sql)
    lying = [event for event in events if event.behavior in DOWN]
    on_who_lies = [hit for hit in hits if any(event.shows(*hit[:4], tuple(hit[4])) for event in lying)]
    assert on_who_lies
    assert 2 * len(on_who_lies) >= len(hits)


def test_a_search_names_what_the_judge_saw_and_where(
    composition: Composition, night: tuple[StoreLayout, IndexReport, SweepReport]
) -> None:
    layout, _, _ = night
    report = search_store(composition, layout, SearchRequest(text="a man in an orange sweater lying on the ground"))
    assert report.results
    best = report.results[0]
    assert {slot.kind for slot in best.slots} == {"action", "color"}
    assert all(0 <= slot.match <= 1 and 0 <= slot.saliency <= 1 for slot in best.slots)
    assert best.when.startswith("2026-03-14 12:4")
    assert Path(report.page_path).stat().st_size > 20_000

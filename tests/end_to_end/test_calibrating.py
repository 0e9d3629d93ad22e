"""Confirming and rejecting hits changes what the next sweep accepts."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.index.indexing import index_archive
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import FakeComposition, compose, write_video

RED = '[[query]]\nname = "red"\ntext = "a person in a red jacket walking"\nfloor = -10\naccept = 0.0\n'
REJECT_WRONG = "select hit_id, 'reject' as verdict from hits where confidence < 0.3"
NIGHTS = {
    "2026-03-14/10-00-00.mp4": [("red", 0, 5), ("green", 0, 5), ("blue", 0, 5)],
    "2026-03-14/11-00-00.mp4": [("green", 0, 5), ("blue", 0, 5), ("green", 0, 5)],
}


@pytest.fixture
def composition() -> FakeComposition:
    return compose()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose hits of the first nights wait to be confirmed or rejected; only read."""
    folder = tmp_path_factory.mktemp("swept")
    for name, blocks in NIGHTS.items():
        write_video(folder / "archive/gate" / name, blocks, seconds=5.0)
    layout = StoreLayout(folder / "store")
    index_archive(compose(), layout, folder / "archive")
    sweep(compose(), layout, folder)
    return layout.root


@pytest.fixture
def layout(swept: Path, tmp_path: Path) -> StoreLayout:
    return StoreLayout(shutil.copytree(swept, tmp_path / "store"))


def sweep(composition: FakeComposition, layout: StoreLayout, folder: Path, more: str = "") -> None:
    file = folder / "queries.toml"
    file.write_text(RED + more)
    sweep_store(composition, layout, file)


def index_another_night(composition: FakeComposition, layout: StoreLayout, tmp_path: Path) -> None:
    blocks = [("red", 0.0, 5.0), ("green", 0.0, 5.0)]
    write_video(tmp_path / "more/gate/2026-03-15/10-00-00.mp4", blocks, seconds=5.0)
    index_archive(composition, layout, tmp_path / "more")


def reject_wrong_hits(layout: StoreLayout) -> None:
    result = CliRunner().invoke(app, ["feedback", "--sql", REJECT_WRONG, "--store", str(layout.root)])
    assert "0 confirmed, 5 rejected" in result.stdout


def count_hits(layout: StoreLayout, day: int) -> int:
    (((number,),)) = run_sql(layout, "select count(*) from hits where day(best_utc) = ?", [day])[1]
    return int(number)


def read_thresholds(layout: StoreLayout) -> list[tuple[object, ...]]:
    sql = "select threshold, num_rejected, evidence from thresholds join sweeps using (sweep_id) order by started_utc"
    return run_sql(layout, sql)[1]


def test_rejected_hits_change_what_the_next_sweep_accepts_and_it_says_so(
    composition: FakeComposition, layout: StoreLayout, tmp_path: Path
) -> None:
    assert count_hits(layout, 14) == 6
    assert read_thresholds(layout) == [(0.0, 0, "0.00, the query's own: no hit was confirmed or rejected")]
    reject_wrong_hits(layout)
    index_another_night(composition, layout, tmp_path)
    sweep(composition, layout, tmp_path)
    assert count_hits(layout, 14) == 6  # what was found stays
    assert count_hits(layout, 15) == 1
    _, (threshold, rejected, evidence) = read_thresholds(layout)
    assert (0 < float(str(threshold)) < 0.3, rejected) == (True, 5)
    assert str(evidence).startswith("raised from 0.00")
    assert "none was confirmed" in (layout.reports / "sweep-latest.html").read_text()


def test_another_version_of_the_same_text_profits_too(
    composition: FakeComposition, layout: StoreLayout, tmp_path: Path
) -> None:
    reject_wrong_hits(layout)
    sweep(composition, layout, tmp_path, more="top_n = 30\n")
    sql = "select count(*) from hits join queries using (query_version) where top_n = 30"
    assert run_sql(layout, sql)[1] == [(1,)]


def test_a_query_that_says_so_is_left_alone(composition: FakeComposition, layout: StoreLayout, tmp_path: Path) -> None:
    reject_wrong_hits(layout)
    index_another_night(composition, layout, tmp_path)
    sweep(composition, layout, tmp_path, more="calibrate = false\n")
    assert count_hits(layout, 15) == 2
    assert "calibrate = false" in str(read_thresholds(layout)[-1])

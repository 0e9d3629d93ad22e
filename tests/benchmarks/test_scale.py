"""The benchmark of searching: its stores are real ones, and its figures are of what was asked."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measurements import Measurements
from benchmarks.scale.exact import find_exactly
from benchmarks.scale.filling import Filling, fill_store
from benchmarks.scale.report import draw, list_slopes, slope, write_markdown
from benchmarks.scale.vectors import World
from storage.disk.layout import StoreLayout
from storage.gallery.compacting import compact_store
from storage.gallery.gallery import Gallery
from storage.upkeep.maintenance import verify_store

FILLING = Filling(rows=700, dimension=64, rows_per_shard=300)
ROWS = [
    {
        "state": "loose",
        "dimension": 16,
        "crops": crops,
        "queries": 10,
        "seconds": crops / 50,
        "recall": 1.0,
        "cpu_seconds": crops / 100,
        "own_mib": 5.0,
        "mapped_mib": 7.0,
        "resident_mib": 12.0,
        "gallery_open_seconds": 0.1,
    }
    for crops in (100, 1_000, 10_000)
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert list(fill_store(tmp_path, FILLING)) == [0, 1, 2]
    return tmp_path


def test_a_filled_store_is_whole_and_filled_once(root: Path) -> None:
    layout = StoreLayout(root)
    assert verify_store(layout, deep=True).is_clean
    before = sorted((path, path.stat().st_mtime_ns) for path in layout.shards.rglob("*"))
    list(fill_store(root, FILLING))
    assert sorted((path, path.stat().st_mtime_ns) for path in layout.shards.rglob("*")) == before
    assert Gallery.open(layout, FILLING.pipeline).num_crops == 700


def test_a_search_finds_what_the_slow_one_finds(root: Path) -> None:
    queries = World(64).texts(5)
    compact_store(StoreLayout(root))
    results = Gallery.open(StoreLayout(root), FILLING.pipeline).search(queries, 50)
    found = [{crop.crop_id for crop in result} for result in results]
    assert found == list(map(set, find_exactly(root, FILLING, queries, 50)))


def test_texts_lie_apart_from_crops_and_near_some() -> None:
    world = World(64)
    scores = world.texts(20) @ world.crops(5_000, 0).T
    assert abs(scores.mean()) < 0.1
    assert 0.15 < np.sort(scores, axis=1)[:, -20:].mean() < 0.7
    assert np.array_equal(world.texts(3), world.texts(20)[:3])


def test_slopes_are_of_the_logarithms() -> None:
    assert slope(ROWS, "crops") == pytest.approx(1.0)
    assert slope(ROWS, "crops", "resident_mib") == pytest.approx(0.0)
    assert any("slope 1.00" in line for line in list_slopes(ROWS))
    assert "| loose | 16 | 10,000 |" in write_markdown(ROWS)


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    draw(ROWS, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1_000


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    assert Measurements(path).once("a", lambda: 1) == 1
    assert Measurements(path).once("a", lambda: 2) == 1
    assert json.loads(path.read_text()) == {"a": 1}

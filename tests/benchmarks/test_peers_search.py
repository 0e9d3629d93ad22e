"""The search benchmark: all sides are given the same, and are measured by what is exact."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks.peers import search, shelves
from benchmarks.peers.search import Contest, SearchTrial, make_vectors, tabulate, take_vectors, try_all, try_search
from benchmarks.peers.search_sides import SIDES
from benchmarks.peers.shelves import TOLERANCE, Laps, Shelf, measure_recall, read_gallery, write_pictures
from benchmarks.watching import run_module
from storage.gallery.gallery import Gallery
from tests.storage.examples import PIPELINE, make_rows, publish_shard, unit_vectors


def trial(side: str, build_seconds: float, recall: float = 1.0) -> SearchTrial:
    return SearchTrial(
        side=side,
        load_seconds=1,
        build_seconds=build_seconds,
        search_seconds=0.5,
        whole_seconds=9,
        peak_mib=1234,
        num_rows=100,
        num_queries=10,
        recall=recall,
        note="Flat",
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Six pictures and two texts."""
    shelf = Shelf(tmp_path)
    shelf.pictures.mkdir()
    rng = np.random.default_rng(1)
    for number in range(6):
        picture = cv2.resize(rng.integers(0, 255, (6, 3, 3), np.uint8), (48, 96))
        cv2.imwrite(str(shelf.pictures / f"{number:06d}.jpg"), picture)
    shelf.texts.write_text(json.dumps(["a person falling to the ground", "a person running away"]))
    return shelf


def test_recall_is_of_the_best_and_equal_vectors_are_as_good() -> None:
    vectors = np.float32([[1, 0], [0, 1], [0.6, 0.8], [0.6, 0.8]])
    queries = np.float32([[0, 1]])
    assert measure_recall([[1, 2]], queries, vectors, 2) == 1
    assert measure_recall([[1, 3]], queries, vectors, 2) == 1
    assert measure_recall([[1, 0]], queries, vectors, 2) == 0.5
    assert measure_recall([[1, 1]], queries, vectors, 2) == 0.5
    assert measure_recall([[]], queries, vectors, 2) == 0
    assert measure_recall([[0, 1, 2, 3]], queries, vectors, 100) == 1


def test_steps_add_up_and_medians_are_shown() -> None:
    first, second = tabulate([trial("ours", 2), trial("autofaiss", 1), trial("ours", 4, recall=0.9), trial("ours", 10)])
    assert first == ("ours", "5.50", "1.00", "4.00", "25", "50.00", "1,234", "0.9000", "Flat")
    assert second[:2] == ("autofaiss", "2.50")


def test_what_was_forgotten_is_in_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    laps = Laps()
    monkeypatch.setattr(shelves, "time", SimpleNamespace(perf_counter=iter([100.0, 102.0]).__next__))
    laps.begin()
    laps.end("load")
    assert laps.seconds["load"] == 2


def test_a_side_that_is_not_there_is_asked_once_and_named(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    asked = []

    def answer(side: str, _: Contest) -> SearchTrial | str:
        asked.append(side)
        return "autofaiss: not installed" if side == "autofaiss" else trial(side, 1)

    monkeypatch.setattr(search, "try_search", answer)
    trials, missing = try_all(Contest(shelf=shelf, sides=("autofaiss", "compacted")), 3)
    assert (len(trials), missing) == (3, ["autofaiss: not installed"])
    assert asked.count("autofaiss") == 1


def test_pictures_are_written_once_a_copy_in_the_order_of_the_vectors(tmp_path: Path) -> None:
    layout = search.StoreLayout(tmp_path / "store")
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    gallery = Gallery.open(layout, PIPELINE)
    assert write_pictures(gallery, tmp_path / "pictures", copies=2) == 6
    ids, vectors = read_gallery(gallery)
    assert (tmp_path / "pictures" / "000004.jpg").read_bytes() == b"jpeg a 1"
    np.testing.assert_array_equal(vectors, unit_vectors(3))
    np.save(tmp_path / "queries.npy", unit_vectors(2, seed=1))
    contest = take_vectors(gallery, layout.root, tmp_path / "vectors", tmp_path / "queries.npy")
    assert list(contest.crop_ids) == ids
    np.testing.assert_array_equal(contest.vectors, vectors)
    assert list(contest.places.values()) == [0, 1, 2]


@pytest.mark.parametrize("side", ["VisualAISearch", "ours"])
def test_a_side_finds_all_of_six_pictures_best_first(shelf: Shelf, tmp_path: Path, side: str) -> None:
    (tmp_path / "scratch").mkdir()
    laps, before = Laps(), sys.modules.get("ultralytics.nn.text_model")
    SIDES["truth"](shelf, tmp_path, 100, Laps())
    answers = SIDES[side](shelf, tmp_path / "scratch", 100, laps)
    scores = np.load(shelf.queries) @ np.load(shelf.vectors).T
    found = np.take_along_axis(scores, np.array(answers.found, int), axis=1)
    assert found.shape == (2, 6)
    assert np.all(np.diff(found) <= TOLERANCE)
    assert list(laps.seconds) == ["load", "build", "search"]
    assert sys.modules.get("ultralytics.nn.text_model") is before


def test_our_index_of_synthetic_vectors_is_exact(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(search, "ROWS_PER_SHARD", 200)
    tried = try_search("compacted", make_vectors(500, tmp_path))
    assert isinstance(tried, SearchTrial)
    assert tried.recall == 1
    assert "1 of codes, 0 loose shards" in tried.note


@pytest.mark.parametrize("side", ["autofaiss", "clip-retrieval"])
def test_a_peer_is_measured_or_said_to_be_missing(shelf: Shelf, side: str) -> None:
    np.save(shelf.vectors, unit_vectors(6, dimension=192))
    np.save(shelf.queries, unit_vectors(2, seed=1, dimension=192))
    tried = try_search(side, Contest(shelf=shelf, sides=(side,)))
    assert tried.recall == 1 if isinstance(tried, SearchTrial) else "not installed (No module named" in tried


def test_a_side_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="compacted ended with 1"):
        run_module("benchmarks.peers.search_sides", ["compacted", str(tmp_path), str(tmp_path / "scratch"), "5"])

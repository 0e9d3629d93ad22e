"""Compacted indexes: searches that can't tell whether there are any, and indexes that come and go without loss."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.errors import StoreBusyError
from storage.disk import crashpoints
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.disk.locks import writer_lock
from storage.gallery import compacting
from storage.gallery.compacting import (
    drop_indexes,
    find_index_problems,
    find_useless_indexes,
)
from storage.gallery.gallery import FoundCrop, Gallery
from storage.gallery.index_files import MANIFEST_FILE, ROWS_FILE, VECTORS_FILE, iter_index_dirs
from storage.gallery.scope import Scope
from tests.storage.examples import (
    NOON,
    PIPELINE,
    make_key,
    make_rows,
    make_video,
    open_writer,
    publish_shard,
    unit_vectors,
)

compact_store = partial(compacting.compact_store, min_rows=1)
POINTS = [name for name in crashpoints.CRASH_POINTS if name.startswith("compaction.")]
SCOPES = (
    Scope(),
    Scope(cameras=frozenset({"yard"})),
    Scope(shard_ids=frozenset({"s0", "s2"})),
    Scope(start_utc=NOON + timedelta(seconds=3), stop_utc=NOON + timedelta(seconds=20)),
    Scope(daily_start="13:00:05", daily_stop="13:00:12", cameras=frozenset({"gate"})),
)


def publish(layout: StoreLayout, name: str, vectors: np.ndarray, pipeline: str = PIPELINE) -> None:
    camera = "yard" if name in {"s1", "s2"} else "gate"
    with open_writer(layout, make_key(name, camera=camera, pipeline=pipeline)) as writer:
        writer.append(make_rows(name, vectors, camera=camera))
        writer.publish([make_video(name, time_zone="Europe/Berlin")], seconds=1.0)


def search(
    layout: StoreLayout, k: int = 10, scope: Scope = SCOPES[0], pipeline: str = PIPELINE
) -> list[list[FoundCrop]]:
    return list(Gallery.open(layout, pipeline).search(unit_vectors(4, 99), k, scope))


@pytest.fixture
def filled(layout: StoreLayout) -> StoreLayout:
    for number in range(3):
        publish(layout, f"s{number}", unit_vectors(25, number))
    return layout


@settings(max_examples=15)
@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=5),
    st.integers(1, 50),
    st.sampled_from(SCOPES),
    st.integers(0, 1000),
    st.booleans(),
    st.integers(1, 3),
)
def test_a_search_gives_the_exact_best_whatever_is_compacted(
    sizes: list[int], k: int, scope: Scope, seed: int, doubles: bool, late: int
) -> None:
    vectors = unit_vectors(sum(sizes), seed)
    if doubles:
        vectors[1::2] = vectors[: len(vectors[1::2])]  # crops that look the same
    pieces = np.split(vectors, np.cumsum(sizes)[:-1])
    with TemporaryDirectory() as root:
        layout = StoreLayout(Path(root))
        plain = StoreLayout(Path(root) / "plain")
        for number, piece in enumerate(pieces):
            publish(layout, f"s{number}", piece)
            publish(plain, f"s{number}", piece)
            if number == len(pieces) - late:
                compact_store(layout, max_rows=60)
        assert search(layout, k, scope) == search(plain, k, scope)
        compact_store(layout, max_rows=60)
        assert search(layout, k, scope) == search(plain, k, scope)
        results = Gallery.open(layout, PIPELINE).search(unit_vectors(2, seed + 1), k)
    for query, result in zip(unit_vectors(2, seed + 1), results, strict=True):
        truth = np.sort(vectors.astype(np.float64) @ query.astype(np.float64))[::-1][:k]
        assert np.allclose([crop.cosine for crop in result], truth, atol=1e-6)


def test_few_candidates_of_an_approximate_index_hold_the_best(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = unit_vectors(3000, 5)
    for number, piece in enumerate(np.split(vectors, 2)):
        publish(layout, f"s{number}", piece)
    compact_store(layout)
    monkeypatch.setattr("storage.gallery.search.COARSE_FACTOR", 2)
    monkeypatch.setattr("storage.gallery.search.COARSE_SPARE", 30)
    queries = unit_vectors(20, 99)
    results = Gallery.open(layout, PIPELINE).search(queries, 10)
    for query, result in zip(queries, results, strict=True):
        best = np.sort(vectors.astype(np.float64) @ query.astype(np.float64))[::-1][:10]
        assert np.isclose([crop.cosine for crop in result], best, atol=1e-6).sum() >= 8


def test_the_background_does_not_depend_on_indexes(filled: StoreLayout) -> None:
    before = Gallery.open(filled, PIPELINE).background_scores(unit_vectors(2), max_crops=20)
    compact_store(filled)
    assert np.array_equal(Gallery.open(filled, PIPELINE).background_scores(unit_vectors(2), max_crops=20), before)


def test_vectors_without_sense_hide_no_others(filled: StoreLayout) -> None:
    vectors = unit_vectors(9, 8)
    vectors[4] = np.nan
    vectors[5, 2] = np.inf
    publish(filled, "s3", vectors)
    before = search(filled, k=500)
    assert len(before[0]) == 3 * 25 + 7
    compact_store(filled)
    assert search(filled, k=500) == before


def test_compacting_twice_changes_nothing(filled: StoreLayout) -> None:
    first = compact_store(filled)
    (directory,) = iter_index_dirs(filled)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.iterdir()}
    second = compact_store(filled)
    assert (len(first.built), first.num_indexes, first.num_loose) == (1, 1, 0)
    assert (second.built, second.removed, second.num_indexes) == ((), (), 1)
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.iterdir()} == before


def test_full_indexes_stay_and_a_small_one_is_made_anew_with_what_is_new(filled: StoreLayout) -> None:
    compact_store(filled, max_rows=50)  # s0 and s1 fill one
    (full,) = iter_index_dirs(filled)
    publish(filled, "s3", unit_vectors(5, 3))
    assert compact_store(filled, max_rows=50).num_indexes == 2
    assert full in set(iter_index_dirs(filled))
    publish(filled, "s4", unit_vectors(5, 4))
    report = compact_store(filled, max_rows=50)
    assert report.num_indexes == 2
    assert full in set(iter_index_dirs(filled))


def test_pipelines_are_compacted_apart(filled: StoreLayout) -> None:
    for number in range(2):
        publish(filled, f"o{number}", unit_vectors(9, 50 + number), pipeline="p2")
    before = search(filled, pipeline="p2")
    report = compact_store(filled)
    assert sorted(built.directory.parent.name for built in report.built) == [PIPELINE, "p2"]
    assert search(filled, pipeline="p2") == before
    assert {crop.shard_id for row in search(filled, pipeline="p2") for crop in row} == {"o0", "o1"}


def test_two_compactions_at_once_are_refused(filled: StoreLayout) -> None:
    with writer_lock(filled.locks / "indexes.lock"), pytest.raises(StoreBusyError):
        compact_store(filled)


@pytest.fixture
def at() -> Iterator[dict[str, Callable[[], None]]]:
    """What to do at crash points."""
    actions: dict[str, Callable[[], None]] = {}

    def act(name: str) -> None:
        if name in actions:
            actions.pop(name)()

    crashpoints.hooks.append(act)
    yield actions
    crashpoints.hooks.remove(act)


def kill_at(root: Path, point: str) -> None:
    """A process of its own that compacts and is killed on the way."""
    crashpoints.hooks.append(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == point else None)
    compact_store(StoreLayout(root))


@pytest.mark.parametrize("point", POINTS)
def test_a_compaction_killed_anywhere_loses_nothing_and_is_done_by_the_next(filled: StoreLayout, point: str) -> None:
    compact_store(filled)
    publish(filled, "s3", unit_vectors(25, 3))  # so that the old index is to be replaced
    before = search(filled)
    process = multiprocessing.get_context("spawn").Process(target=kill_at, args=(filled.root, point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert search(filled) == before
    assert list(find_index_problems(filled, deep=True)) == []
    compact_store(filled)
    gallery = Gallery.open(filled, PIPELINE)
    assert [len(index.manifest.shards) for index in gallery.indexes] == [4]
    assert len(list(iter_index_dirs(filled))) == 1
    assert search(filled) == before


@pytest.mark.parametrize("name", [VECTORS_FILE, ROWS_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:40])])
def test_a_damaged_index_is_named_passed_over_and_made_anew(
    filled: StoreLayout, name: str, damage: Callable[[Path], object]
) -> None:
    before = search(filled)
    compact_store(filled)
    (directory,) = iter_index_dirs(filled)
    damage(directory / name)
    assert search(filled) == before
    assert any("anomalylmm compact" in problem for problem in find_index_problems(filled, deep=False))
    compact_store(filled)
    assert list(find_index_problems(filled, deep=True)) == []
    assert len(Gallery.open(filled, PIPELINE).indexes) == 1


def test_changed_codes_are_found_by_reading_every_byte(filled: StoreLayout) -> None:
    compact_store(filled)
    (directory,) = iter_index_dirs(filled)
    content = bytearray((directory / VECTORS_FILE).read_bytes())
    content[7] ^= 1
    (directory / VECTORS_FILE).write_bytes(content)
    assert list(find_index_problems(filled, deep=False)) == []
    assert "sha256" in next(find_index_problems(filled, deep=True))


def test_an_index_of_a_shard_that_is_gone_is_useless_and_not_searched(filled: StoreLayout) -> None:
    compact_store(filled)
    gone = filled.shard_dir(make_key("s1", camera="yard"))
    gone.rename(filled.temporary / "gone")
    assert {crop.shard_id for row in search(filled) for crop in row} == {"s0", "s2"}
    assert find_useless_indexes(filled) == tuple(iter_index_dirs(filled))
    assert "s1" in next(find_index_problems(filled, deep=False))
    compact_store(filled)
    assert list(find_index_problems(filled, deep=True)) == []


def test_a_damaged_shard_takes_its_index_out_of_use_and_nothing_else(filled: StoreLayout) -> None:
    compact_store(filled)
    (filled.shard_dir(make_key("s0")) / CROPS_FILE).write_bytes(b"broken")
    assert {crop.shard_id for row in search(filled) for crop in row} == {"s1", "s2"}


def test_dropping_takes_the_indexes_that_hold_a_shard_and_those_that_can_not_tell(filled: StoreLayout) -> None:
    compact_store(filled, max_rows=50)
    assert drop_indexes(filled, ["another"]) == ()
    assert drop_indexes(filled, []) == ()
    (directory,) = drop_indexes(filled, ["s0"])
    assert not directory.exists()
    assert list(filled.temporary.iterdir()) == []
    compact_store(filled)
    (damaged,) = iter_index_dirs(filled)
    (damaged / MANIFEST_FILE).unlink()
    assert drop_indexes(filled, ["another"]) == (damaged,)


def test_a_shard_that_goes_while_it_is_compacted_leaves_no_index(
    filled: StoreLayout, at: dict[str, Callable[[], None]]
) -> None:
    at["compaction.renamed"] = lambda: filled.shard_dir(make_key("s0")).rename(filled.temporary / "gone") and None
    report = compact_store(filled)
    assert (report.built, report.num_indexes) == ((), 0)
    assert list(iter_index_dirs(filled)) == []


def test_a_shard_that_can_not_be_read_any_more_stops_nothing(
    filled: StoreLayout, at: dict[str, Callable[[], None]]
) -> None:
    at["compaction.codes_written"] = lambda: filled.shard_dir(make_key("s0")).rename(filled.temporary / "gone") and None
    assert compact_store(filled).built == ()
    assert [path.name for path in filled.temporary.iterdir()] == ["gone"]


def test_a_search_goes_on_with_an_index_that_is_replaced_meanwhile(filled: StoreLayout) -> None:
    before = search(filled)
    compact_store(filled)
    gallery = Gallery.open(filled, PIPELINE)
    compacting.drop_indexes(filled, ["s0"])
    assert list(gallery.search(unit_vectors(4, 99), 10)) == before


def test_a_shard_alone_needs_no_index(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(9)))
    publish_shard(layout, "empty", [])
    report = compact_store(layout)
    assert (report.built, report.num_loose) == ((), 2)

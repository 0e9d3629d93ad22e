from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.errors import PipelineMismatchError, ShapeError, ShardError, StoreError
from storage.disk.layout import CROPS_FILE, INDEX_FILE, StoreLayout
from storage.gallery import gallery as gallery_module
from storage.gallery.gallery import FoundCrop, Gallery, count_crops
from storage.gallery.scope import Scope
from storage.shards.vectors import open_index
from storage.upkeep.maintenance import verify_store
from tests.storage.examples import (
    DIMENSION,
    NOON,
    PIPELINE,
    make_key,
    make_row,
    make_rows,
    make_video,
    open_writer,
    publish_shard,
    unit_vectors,
)


def second_of(crop: FoundCrop) -> int:
    """When a crop of an example was taken."""
    return int(crop.crop_id.rpartition("-")[2])


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 50), st.integers(0, 1000))
def test_the_best_of_merged_shards_are_the_best_of_all(sizes: list[int], k: int, seed: int) -> None:
    vectors = unit_vectors(sum(sizes), seed)
    queries = unit_vectors(3, seed + 1)
    with TemporaryDirectory() as root:
        layout = StoreLayout(Path(root))
        pieces = np.split(vectors, np.cumsum(sizes)[:-1])
        names = {}
        for number, piece in enumerate(pieces):
            rows = make_rows(f"s{number}", piece)
            names.update({row.crop_id: row.vector for row in rows})
            publish_shard(layout, f"s{number}", rows)
        results = Gallery.open(layout, PIPELINE).search(queries, k)
    for query, result in zip(queries, results, strict=True):
        truth = np.sort(vectors.astype(np.float64) @ query.astype(np.float64))[::-1][:k]
        assert np.allclose([crop.cosine for crop in result], truth, atol=1e-6)
        assert len({crop.crop_id for crop in result}) == len(result) == min(k, len(vectors))
        own = [float(names[crop.crop_id].astype(np.float64) @ query.astype(np.float64)) for crop in result]
        assert np.float32(own).tolist() == [crop.cosine for crop in result]


def test_a_scope_keeps_to_its_cameras_shards_and_times(layout: StoreLayout) -> None:
    for name, camera in (("a", "gate"), ("b", "yard")):
        publish_shard(layout, name, make_rows(name, unit_vectors(30), camera=camera), camera=camera)
    gallery = Gallery.open(layout, PIPELINE)
    query = unit_vectors(1, 9)
    (yard,) = gallery.search(query, 100, Scope(cameras=frozenset({"yard"})))
    assert {crop.camera for crop in yard} == {"yard"}
    assert len(yard) == 30
    (one,) = gallery.search(query, 100, Scope(shard_ids=frozenset({"a"})))
    assert {crop.shard_id for crop in one} == {"a"}
    window = Scope(start_utc=NOON + timedelta(seconds=5), stop_utc=NOON + timedelta(seconds=8))
    (timed,) = gallery.search(query, 100, window)
    assert sorted(map(second_of, timed)) == [5, 5, 6, 6, 7, 7]
    (none,) = gallery.search(query, 100, Scope(stop_utc=NOON))
    assert len(none) == 0


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        ("13:00:05", "13:00:08", {5, 6, 7}),
        ("13:00:28", "02:00", {28, 29}),
        ("", "13:00:02", {0, 1}),
        ("14:00", "", set()),
    ],
)
def test_a_daily_window_is_in_the_cameras_own_time(layout: StoreLayout, start: str, stop: str, found: set[int]) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(30)), time_zone="Europe/Berlin")  # noon UTC is 13:00
    (result,) = Gallery.open(layout, PIPELINE).search(
        unit_vectors(1, 9), 100, Scope(daily_start=start, daily_stop=stop)
    )
    assert set(map(second_of, result)) == found


def test_a_time_zone_that_is_none_is_named(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)), time_zone="Mars/Olympus")
    with pytest.raises(StoreError, match="Mars/Olympus"):
        Gallery.open(layout, PIPELINE).search(unit_vectors(1), 1, Scope(daily_start="10:00"))


@pytest.mark.parametrize("changes", [{"daily_start": "25:00"}, {"start_utc": NOON.replace(tzinfo=None)}])
def test_a_scope_without_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        Scope(**changes)  # type: ignore[arg-type]


def test_equal_crops_come_in_the_order_of_their_ids(layout: StoreLayout) -> None:
    vector = unit_vectors(1)[0]
    for name in "ba":
        publish_shard(layout, name, [make_row(name, vector, number=number) for number in (2, 1)])
    (result,) = Gallery.open(layout, PIPELINE).search(vector[None], 4)
    assert [crop.crop_id for crop in result] == ["a-0001", "a-0002", "b-0001", "b-0002"]


def test_a_gallery_of_nothing_finds_nothing(layout: StoreLayout) -> None:
    gallery = Gallery.open(layout, PIPELINE)
    assert [len(result) for result in gallery.search(unit_vectors(2), 5)] == [0, 0]
    assert gallery.background_scores(unit_vectors(2)).shape == (2, 0)
    assert (gallery.num_crops, gallery.video_ids, count_crops(layout)) == (0, frozenset(), {})


def test_no_query_gives_no_result(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    assert Gallery.open(layout, PIPELINE).search(unit_vectors(0), 5) == ()


def test_the_background_is_even_and_always_the_same(layout: StoreLayout) -> None:
    vectors = unit_vectors(100)
    publish_shard(layout, "a", make_rows("a", vectors[:30]))
    publish_shard(layout, "b", make_rows("b", vectors[30:]))
    gallery, queries = Gallery.open(layout, PIPELINE), unit_vectors(2, 5)
    scores = gallery.background_scores(queries, max_crops=20)
    assert np.allclose(scores, queries @ vectors[2::5].T, atol=1e-6)
    assert np.array_equal(scores, gallery.background_scores(queries, max_crops=20))
    assert gallery.background_scores(queries).shape == (2, 100)


def test_queries_of_another_encoder_are_refused(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    with pytest.raises(ShapeError, match=r"\(Q, 8\)"):
        Gallery.open(layout, PIPELINE).search(unit_vectors(1, dimension=9), 1)


def test_encoders_are_never_mixed(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    with open_writer(layout, make_key("b"), encoder="other") as writer:
        writer.publish([make_video("b")], seconds=0.0)
    with pytest.raises(PipelineMismatchError, match="2 encoders"):
        Gallery.open(layout, PIPELINE)


def test_pipelines_are_apart(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    with open_writer(layout, make_key("b", pipeline="p2"), dimension=4) as writer:
        writer.publish([make_video("b")], seconds=0.0)
    assert Gallery.open(layout, PIPELINE).shard_ids == ("a",)
    assert list(count_crops(layout).items()) == [("p2", 0), ("p1", 3)]


def test_an_invalid_shard_is_named_and_left_out(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    broken = layout.shard_dir(publish_shard(layout, "b", make_rows("b", unit_vectors(3))).key)
    (broken / CROPS_FILE).unlink()
    gallery = Gallery.open(layout, PIPELINE)
    assert gallery.shard_ids == ("a",)
    assert [invalid.directory for invalid in gallery.invalid] == [broken]
    with pytest.raises(ShardError, match="anomalylmm verify"):
        gallery.shard("b")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:99])])
def test_a_lost_index_is_built_again(layout: StoreLayout, damage: object) -> None:
    directory = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(30))).key)
    before = (directory / INDEX_FILE).read_bytes()
    damage(directory / INDEX_FILE)  # type: ignore[operator]
    (result,) = Gallery.open(layout, PIPELINE).search(unit_vectors(1), 1)
    assert [crop.crop_id for crop in result] == ["a-0000"]
    assert (directory / INDEX_FILE).read_bytes() == before
    assert open_index(directory / INDEX_FILE, 30, DIMENSION).ntotal == 30


def test_verify_repairs_an_index_that_changed(layout: StoreLayout) -> None:
    directory = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(30))).key)
    content = bytearray((directory / INDEX_FILE).read_bytes())
    content[-1] ^= 1
    (directory / INDEX_FILE).write_bytes(content)
    assert not verify_store(layout, deep=True).is_clean
    report = verify_store(layout, deep=True, repair=True)
    assert report.rebuilt == (directory / INDEX_FILE,)
    assert report.is_clean
    assert verify_store(layout, deep=True).is_clean


def test_the_crops_of_a_tracklet_are_read_once_and_can_be_changed_by_who_gets_them(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = gallery_module.load_tracklets
    monkeypatch.setattr(gallery_module, "load_tracklets", lambda *given: read.extend(given[1]) or real(*given))
    publish_shard(layout, "a", make_rows("a", unit_vectors(6)))
    gallery = Gallery.open(layout, PIPELINE)
    (shard_id,), name = gallery.shard_ids, make_rows("a", unit_vectors(6))[0].tracklet_id
    first = gallery.tracklet_crops(shard_id, name)
    ids = [row.crop_id for row in first]
    first.clear()
    assert [row.crop_id for row in gallery.tracklet_crops(shard_id, name)] == ids != []
    assert read == [name]


def test_each_shard_is_read_once_for_several_tracklets_and_the_last_ones_are_kept(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[str]] = []
    real = gallery_module.load_tracklets
    monkeypatch.setattr(gallery_module, "load_tracklets", lambda *given: read.append(given[1]) or real(*given))
    monkeypatch.setattr(gallery_module, "KEPT_TRACKLETS", 3)
    for name in ("a", "b"):
        publish_shard(layout, name, make_rows(name, unit_vectors(9)))
    gallery = Gallery.open(layout, PIPELINE)
    places = [
        (shard_id, row.tracklet_id)
        for shard_id, name in zip(gallery.shard_ids, ("a", "b"), strict=True)
        for row in make_rows(name, unit_vectors(9))[:6:3]
    ]
    found = gallery.read_tracklets([*places, places[0]])
    assert list(found) == places
    assert all({row.tracklet_id for row in crops} == {place[1]} for place, crops in found.items())
    assert len(read) == 2
    gallery.read_tracklets(places[1:])  # the last three of the four were kept
    assert len(read) == 2
    gallery.read_tracklets(places[:1])
    assert read[2:] == [[places[0][1]]]

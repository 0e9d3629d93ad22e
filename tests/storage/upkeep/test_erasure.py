"""Erasing footage: what is removed, what stays, and what can't come back."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from anomalylmm.errors import StoreError
from storage.disk.layout import StoreLayout, make_shard_id
from storage.gallery.gallery import Gallery
from storage.hits.analyst import open_snapshot, run_sql
from storage.hits.writer import HitStore
from storage.shards.manifest import Footage, iter_shard_dirs
from storage.shards.quarantine import read_quarantine
from storage.shards.reading import load_crops
from storage.upkeep.erasure import erase_footage, find_returned
from storage.upkeep.erasure_log import ErasedFootage, ErasureRule, erasure_stamp, lift_erasures
from storage.upkeep.maintenance import verify_store
from tests.storage.erased_stores import (
    EVENING,
    MIXED,
    MORNING,
    NEW,
    OLD,
    holding,
    jpeg_of,
    name_of,
    publish_videos,
    sweep,
)
from tests.storage.examples import NOON, PIPELINE, make_key, make_video, open_writer, unit_vectors


@pytest.fixture
def layout(filled: StoreLayout) -> StoreLayout:
    """A filled store under the usual name of the fixture."""
    return filled


def test_everything_made_from_erased_footage_is_removed_and_the_rest_stays(layout: StoreLayout) -> None:
    mixed, new = MIXED, NEW
    (report,) = erase_footage(layout, [OLD]).erasures
    rest = make_shard_id(["video-pm"], PIPELINE)
    assert sorted(directory.name for directory in iter_shard_dirs(layout)) == sorted([rest, new])
    rows = load_crops(Gallery.open(layout, PIPELINE).shard(rest).directory, [f"pm-{number:04d}" for number in range(4)])
    assert [row.jpeg for row in rows] == [jpeg_of("pm", number) for number in range(4)]
    assert np.allclose([row.vector for row in rows], unit_vectors(4, seed=1))
    assert run_sql(layout, "SELECT video_id, shard_id FROM hits ORDER BY ALL")[1] == [
        ("video-new", new),
        ("video-pm", rest),
    ]
    assert run_sql(layout, "SELECT shard_id FROM coverage ORDER BY ALL")[1] == sorted([(new,), (rest,)])
    for table in ("judgements", "judgement_slots", "feedback", "videos"):
        assert run_sql(layout, f"SELECT count(*) FROM {table}")[1] == [(2,)], table
    assert run_sql(layout, "SELECT text FROM searches")[1] == [("unmistakable-search-pm-0001",)]
    assert [path.name for path in sorted((layout.reports / "pictures").iterdir())] == ["new.jpg", "pm.jpg"]
    assert read_quarantine(layout) == ()
    with HitStore(layout) as store:
        assert store.pending({"q1": ""}, [rest, new]) == set()
        keys = ["about-no-picture", f"answer-{new}", f"answer-{mixed}"]
        assert store.cached_judgements(keys) == {"about-no-picture": "{}"}
    assert report.counts == {
        "num_hits": 2,
        "num_judgements": 2,
        "num_incidents": 0,
        "num_feedback": 2,
        "num_searches": 1,
        "num_cached": 3,
    }
    assert verify_store(layout, deep=True).is_clean


def test_an_incident_keeps_its_other_hits_and_takes_their_bounds(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    sql = (
        "SELECT num_hits, best_hit_id = (SELECT hit_id FROM hits WHERE video_id = 'video-pm'), start_utc FROM incidents"
    )
    assert run_sql(layout, sql)[1] == [(2, True, NOON.replace(tzinfo=None) + timedelta(seconds=1))]
    erase_footage(layout, [ErasureRule(videos=("video-pm", f"yard/{name_of('new')}"))])
    assert run_sql(layout, "SELECT count(*) FROM incidents")[1] == [(0,)]


def test_a_query_is_asked_again_about_the_half_of_a_tracklet_that_is_kept(layout: StoreLayout) -> None:
    crossing = publish_videos(layout, {"am": MORNING, "new": EVENING}, camera="door", tracklet="crossing").key.shard_id
    sweep(layout, {"am": crossing}, tracklet="crossing")
    (report,) = erase_footage(layout, [ErasureRule(videos=("video-am",))]).erasures
    (rest,) = [shard.rest_id for shard in report.shards if shard.directory.endswith(crossing)]
    with HitStore(layout) as store:
        assert store.pending({"q1": ""}, [rest]) == {("q1", rest)}


def test_no_picture_and_no_name_remains_in_any_file(layout: StoreLayout) -> None:
    gone = [jpeg_of(video, number)[9:40] for video in ("am", "old") for number in (0, 1, 2, 3, 99)]
    gone += [name_of(video).encode() for video in ("am", "old", "bad")] + [b"unmistakable-search-am"]
    assert all(holding(layout, piece) for piece in gone)
    erase_footage(layout, [OLD])
    assert [holding(layout, piece) for piece in gone] == [[]] * len(gone)
    assert holding(layout, jpeg_of("pm", 99)[9:40]) == ["reports/pictures/pm.jpg"]
    assert holding(layout, name_of("pm").encode())


def test_deleted_rows_stay_in_the_database_file_unless_it_is_rewritten(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HitStore, "rewrite_file", lambda store: None)
    erase_footage(layout, [OLD])
    assert "hits/working.duckdb" in holding(layout, name_of("am").encode())


def test_the_rewritten_database_keeps_its_keys(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    with duckdb.connect(str(layout.working)) as connection, pytest.raises(duckdb.ConstraintException):
        connection.execute("INSERT INTO hits SELECT * FROM hits")


def test_a_rule_that_matches_nothing_leaves_no_note(layout: StoreLayout) -> None:
    stamp = erasure_stamp(layout)
    assert erase_footage(layout, [ErasureRule(cameras=("nowhere",))]).erasures == ()
    assert erasure_stamp(layout) == stamp == ()


def test_an_empty_rule_and_a_folder_that_is_not_a_store_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="must name"):
        ErasureRule()
    with pytest.raises(StoreError, match="not a store"):
        erase_footage(StoreLayout(tmp_path / "misspelled"), [OLD])
    assert not (tmp_path / "misspelled").exists()


def test_the_note_names_no_file_and_no_query(layout: StoreLayout) -> None:
    erase_footage(layout, [ErasureRule(videos=(f"gate/{name_of('am')}",))])
    (note,) = layout.erasures.iterdir()
    text = note.read_text()
    assert "unmistakable" not in text
    assert "a man falls" not in text
    assert "am-0001" not in text
    assert run_sql(layout, "SELECT rule, num_videos, num_crops FROM erasures")[1] == [("videos named, 1", 1, 4)]


def test_an_erased_video_is_blocked_until_lifted_and_can_be_erased_again(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])

    def blocks(video_id: str, start_utc: datetime) -> bool:
        return ErasedFootage.read(layout).blocks(
            Footage(video_id=video_id, path="", camera="gate", start_utc=start_utc)
        )

    assert blocks("video-am", EVENING)  # its clock was the file's time, and somebody copied the file
    assert blocks("never-seen", MORNING)
    assert not blocks("never-seen", EVENING)
    lift_erasures(layout, ["video-am"])
    assert not blocks("video-am", MORNING)
    publish_videos(layout, {"am": MORNING})
    assert find_returned(layout) == {}
    erase_footage(layout, [OLD])
    assert blocks("video-am", EVENING)


def test_the_same_video_under_another_pipeline_and_camera_is_erased_too(layout: StoreLayout) -> None:
    with open_writer(layout, make_key("x", camera="other", pipeline="p2")) as writer:
        writer.publish([replace(make_video("old"), start_utc=EVENING)], seconds=1.0)
    erase_footage(layout, [ErasureRule(before_utc=NOON, cameras=("yard",))])
    assert Gallery.open(layout, "p2").shards == ()
    assert "video-am" in Gallery.open(layout, PIPELINE).video_ids


def test_answers_without_shards_of_an_earlier_version_are_deleted_but_masks_stay(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.change(
            "forget the shards",
            lambda connection: connection.execute(
                "INSERT INTO judgement_cache (key, payload) "
                """VALUES ('old', '{"answer": "x"}'), ('m', '{"masks": "x"}')"""
            ),
        )
    erase_footage(layout, [OLD])
    with HitStore(layout) as store:
        assert list(store.cached_judgements(["old", "m"])) == ["m"]


def test_an_open_reader_keeps_reading_what_it_opened(layout: StoreLayout) -> None:
    with open_snapshot(layout) as reader:
        erase_footage(layout, [OLD])
        assert reader.run("SELECT count(*) FROM hits")[1] == [(4,)]
    assert run_sql(layout, "SELECT count(*) FROM hits")[1] == [(2,)]


def test_a_picture_outside_the_reports_is_never_removed(layout: StoreLayout, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"mine")
    with HitStore(layout) as store:
        store.change(
            "aim outside",
            lambda connection: connection.execute(
                "UPDATE hits SET picture_path = '../../outside.jpg' WHERE video_id = 'video-am'"
            ),
        )
    erase_footage(layout, [OLD])
    assert outside.exists()

"""A file that has grown replaces its shorter version, with hits and feedback, also after a kill."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomalylmm.errors import StoreBusyError
from storage.disk.layout import StoreLayout, make_shard_id
from storage.gallery.gallery import Gallery
from storage.hits.analyst import run_sql
from storage.hits.writer import HitStore
from storage.shards.manifest import read_manifest
from storage.upkeep.erasure import erase_footage
from storage.upkeep.erasure_log import ErasureRule
from storage.upkeep.growth import replace_outgrown
from storage.upkeep.maintenance import verify_store
from tests.storage.erased_stores import MIXED, MORNING, name_of, read_all
from tests.storage.examples import PIPELINE, make_key, make_row, make_video, open_writer, unit_vectors

POINTS = ["growth.rests_published", "growth.rows_moved", "growth.shards_removed", "snapshot.written"]
LONG, LONGER = "video-long", "video-longer"
HITS_SQL = "SELECT hit_id, video_id, shard_id, start_utc, feedback FROM hits WHERE video_path LIKE '%-am.mp4'"


@pytest.fixture
def layout(filled: StoreLayout) -> StoreLayout:
    """A filled store under the usual name of the fixture."""
    return filled


def grow(
    layout: StoreLayout,
    video_id: str = LONG,
    grown_from: tuple[str, ...] = ("video-am",),
    first: int = 0,
    later: float = 0,
    tracklets: str = "am",
) -> str:
    """Publishes a longer version of the video "am" of the filled store; returns the id of its shard."""
    start = MORNING + timedelta(seconds=later)
    path = f"gate/{name_of('am')}"
    entry = replace(make_video("am"), video_id=video_id, path=path, start_utc=start, grown_from=grown_from)
    shard_id = make_shard_id([video_id], PIPELINE)
    with open_writer(layout, make_key(shard_id)) as writer:
        vectors = unit_vectors(8)
        rows = [make_row("am", vectors[number], number=number) for number in range(first, 8)]
        names = {row.crop_id: row.tracklet_id.replace("am", tracklets) for row in rows}
        writer.append(
            [replace(row, video_id=video_id, video_path=path, tracklet_id=names[row.crop_id]) for row in rows]
        )
        writer.publish([entry], seconds=1.5)
    return shard_id


def test_a_gallery_shows_the_old_until_it_is_replaced_by_the_new(layout: StoreLayout) -> None:
    before = Gallery.open(layout, PIPELINE)
    shard_id = grow(layout)
    pending = Gallery.open(layout, PIPELINE)
    assert pending.shard_ids == before.shard_ids
    assert pending.video_ids == before.video_ids | {LONG}
    assert replace_outgrown(layout, PIPELINE) == 1
    after = Gallery.open(layout, PIPELINE)
    assert shard_id in after.shard_ids
    assert MIXED not in after.shard_ids
    assert after.video_ids == before.video_ids | {LONG}, "the shorter version is still known"
    assert after.num_crops == before.num_crops + 4
    assert replace_outgrown(layout, PIPELINE) == 0
    assert verify_store(layout, deep=True).is_clean


def test_hits_incidents_judgements_and_feedback_move_to_the_new_video(layout: StoreLayout) -> None:
    before, old = run_sql(layout, HITS_SQL)[1], read_all(layout)
    shard_id = grow(layout, later=60)
    replace_outgrown(layout, PIPELINE)
    (hit,) = run_sql(layout, HITS_SQL)[1]
    assert hit == (before[0][0], LONG, shard_id, before[0][3] + timedelta(seconds=60), "confirm")
    new = read_all(layout)
    assert [len(new[name]) for name in ("hits", "judgements", "judgement_slots", "incidents", "feedback")] == [
        len(old[name]) for name in ("hits", "judgements", "judgement_slots", "incidents", "feedback")
    ]
    assert run_sql(layout, "SELECT stop_utc FROM incidents")[1] == [(before[0][3] + timedelta(seconds=61),)]
    counts = "SELECT video_id, count(*) FROM videos WHERE camera = 'gate' GROUP BY ALL ORDER BY ALL"
    assert run_sql(layout, counts)[1] == [(LONG, 1), ("video-pm", 1)]
    covered = run_sql(layout, "SELECT shard_id FROM coverage ORDER BY ALL")[1]
    assert (make_shard_id(["video-pm"], PIPELINE),) in covered
    assert (shard_id,) not in covered, "the next sweep looks at the new part"


def test_a_hit_whose_tracklet_is_not_in_the_longer_version_is_removed(layout: StoreLayout) -> None:
    grow(layout, first=3)
    replace_outgrown(layout, PIPELINE)
    assert run_sql(layout, HITS_SQL)[1] == []
    assert run_sql(layout, "SELECT count(*) FROM judgements WHERE tracklet_id = 'am-t0'")[1] == [(0,)]
    assert run_sql(layout, "SELECT num_hits FROM incidents")[1] == [(3,)]


def test_a_hit_follows_its_person_whose_tracklet_has_another_name_in_the_longer_version(layout: StoreLayout) -> None:
    ((hit_id, *_),) = run_sql(layout, HITS_SQL)[1]
    shard_id = grow(layout, tracklets="renamed")
    replace_outgrown(layout, PIPELINE)
    ((new_id, video_id, shard, _, feedback),) = run_sql(layout, HITS_SQL)[1]
    assert (video_id, shard, feedback) == (LONG, shard_id, "confirm")
    assert new_id != hit_id
    assert run_sql(layout, f"SELECT tracklet_id, crop_id FROM hits WHERE hit_id = '{new_id}'")[1] == [
        ("renamed-t0", "am-0001")
    ]
    assert run_sql(layout, "SELECT count(*) FROM judgements WHERE tracklet_id = 'renamed-t0'")[1] == [(1,)]
    assert run_sql(layout, "SELECT count(*) FROM judgement_slots WHERE tracklet_id = 'renamed-t0'")[1] == [(1,)]
    ((hit_ids, num_hits, best),) = run_sql(layout, "SELECT hit_ids, num_hits, best_hit_id FROM incidents")[1]
    assert (num_hits, best) == (4, new_id)
    assert new_id in hit_ids
    assert hit_id not in hit_ids


def test_a_file_that_grew_twice_before_anything_was_replaced_keeps_its_longest_version(layout: StoreLayout) -> None:
    grow(layout)
    last = grow(layout, LONGER, ("video-am", LONG))
    assert replace_outgrown(layout, PIPELINE) == 2
    ids = run_sql(layout, "SELECT video_id FROM videos WHERE camera = 'gate' ORDER BY ALL")[1]
    assert ids == [(LONGER,), ("video-pm",)]
    assert [row[1:3] for row in run_sql(layout, HITS_SQL)[1]] == [(LONGER, last)]


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupted_replacement_is_finished_by_the_next(
    layout: StoreLayout, failing: list[str], point: str
) -> None:
    grow(layout, later=60)
    failing.append(point)
    with pytest.raises(KeyboardInterrupt):
        replace_outgrown(layout, PIPELINE)
    shown = Gallery.open(layout, PIPELINE)
    assert (LONG in {video_id for shard in shown.shards for video_id in shard.manifest.video_ids}) == (
        point in ("growth.shards_removed", "snapshot.written")
    )
    replace_outgrown(layout, PIPELINE)
    with HitStore(layout) as hits:
        hits.publish()
    (hit,) = run_sql(layout, HITS_SQL)[1]
    assert hit[1] == LONG
    assert hit[3] == MORNING.replace(tzinfo=None) + timedelta(hours=4, seconds=60)
    assert run_sql(layout, "SELECT count(*) FROM videos WHERE camera = 'gate'")[1] == [(2,)]


def test_while_a_sweep_runs_nothing_is_replaced(layout: StoreLayout) -> None:
    grow(layout)
    with HitStore(layout), pytest.raises(StoreBusyError):
        replace_outgrown(layout, PIPELINE)
    assert MIXED in Gallery.open(layout, PIPELINE).shard_ids


def test_answers_about_a_grown_video_are_erased_with_it(layout: StoreLayout) -> None:
    grow(layout)
    replace_outgrown(layout, PIPELINE)
    erase_footage(layout, [ErasureRule(videos=(LONG,))])
    with HitStore(layout) as hits:
        assert not hits.cached_judgements([f"answer-{MIXED}"])
    assert run_sql(layout, HITS_SQL)[1] == []


def test_only_grown_videos_say_so_in_the_manifest(layout: StoreLayout) -> None:
    directory = layout.shard_dir(make_key(grow(layout)))
    assert read_manifest(directory).videos[0].grown_from == ("video-am",)
    assert "grown_from" not in (layout.shard_dir(make_key(MIXED)) / "manifest.json").read_text(encoding="utf-8")

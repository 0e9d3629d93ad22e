"""Index runs and sweeps over a file that grows between them, with stand-ins for decoder and models."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.records import FrameBatch
from flows.index.indexing import IndexReport, index_archive
from flows.maintain.erasing import erase_store
from flows.settings.model import Settings
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.analyst import run_sql
from storage.hits.inbox import leave_feedback
from storage.hits.rows import FeedbackRecord
from storage.hits.writer import HitStore
from storage.upkeep.erasure_log import ErasureRule
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.drawn import FPS, Blocks, DrawnSession, DrawnSource, SmallComposition, write_queries
from tests.storage.examples import NOON

EARLIER = "gate/2026-03-14/09-59-57.ts"
NAME, OTHER = "gate/2026-03-14/10-00-00.ts", "gate/2026-03-14/11-00-00.ts"
RED: Blocks = (("red", 0, 3),)
BOTH: Blocks = (("red", 0, 3), ("green", 1, 3))
HITS = "SELECT hit_id, query_name, video_id, feedback FROM hits WHERE video_path = ? ORDER BY query_name"


class LastLineSource(DrawnSource):
    """Draws what the last line of a file says, so that appending a line makes a recording that has grown."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one."""
        return DrawnSession(json.loads(path.read_text().splitlines()[-1]))


class ShiftedSession(DrawnSession):
    """Shows everything two pixels further to the right, as another decoder or processor might place a box."""

    def __iter__(self) -> Iterator[FrameBatch]:
        """Gives a few frames at a time."""
        for batch in super().__iter__():
            yield replace(batch, images=tuple(np.roll(image, 2, axis=1) for image in batch.images))


class ShiftedSource(LastLineSource):
    """Sees the person at another place, and somebody else."""

    def open_session(self, path: Path, *, sample_fps: float) -> DrawnSession:
        """Opens one."""
        return ShiftedSession((*json.loads(path.read_text().splitlines()[-1]), ("green", 1, 3)))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with a file that will grow and one that will not."""
    append(tmp_path / "archive" / NAME, RED)
    append(tmp_path / "archive" / OTHER, (("red", 0, 2),))
    return tmp_path / "archive"


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(tmp_path / "store")


def append(path: Path, blocks: Blocks) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(blocks) + "\n")


def compose() -> SmallComposition:
    settings = Settings.model_validate({"decode": {"sample_fps": FPS}, "gate": {"enabled": False}})
    return SmallComposition(settings, LastLineSource())


def index(layout: StoreLayout, archive: Path) -> IndexReport:
    return index_archive(compose(), layout, archive)


def sweep(layout: StoreLayout, tmp_path: Path) -> list[tuple[object, ...]]:
    """Sweeps and returns the hits in the file that grows."""
    sweep_store(compose(), layout, write_queries(tmp_path / "queries.toml"))
    return run_sql(layout, HITS, [NAME])[1]


def test_a_grown_file_is_one_video_whose_hits_and_feedback_stay(
    archive: Path, layout: StoreLayout, tmp_path: Path
) -> None:
    index(layout, archive)
    ((hit_id, *_),) = sweep(layout, tmp_path)
    leave_feedback(layout, FeedbackRecord(hit_id=str(hit_id), verdict="confirm", who="ann", created_utc=NOON))
    append(archive / NAME, BOTH)
    report = index(layout, archive)
    assert (report.grown, report.known, report.total("num_videos")) == (1, 1, 1)
    assert any("have grown" in note for note in report.notes)
    moved = run_sql(layout, HITS, [NAME])[1]
    assert [row[:2] + row[3:] for row in moved] == [(hit_id, "red", "confirm")], "before the sweep"
    after = sweep(layout, tmp_path)
    assert [(row[1], row[3]) for row in after] == [("green", None), ("red", "confirm")]
    assert after[1][0] == hit_id
    assert {row[2] for row in after} == {moved[0][2]}
    assert run_sql(layout, "SELECT path FROM videos ORDER BY path")[1] == [(NAME,), (OTHER,)]
    assert run_sql(layout, "SELECT count(*) - count(DISTINCT crop_id) FROM crops")[1] == [(0,)]
    again = index(layout, archive)
    assert (again.grown, again.known, again.total("num_videos")) == (0, 2, 0)


def test_while_another_process_writes_the_sweep_replaces_the_shorter_version(
    archive: Path, layout: StoreLayout, tmp_path: Path
) -> None:
    index(layout, archive)
    sweep(layout, tmp_path)
    append(archive / NAME, BOTH)
    with HitStore(layout):
        report = index(layout, archive)
    assert any("another process is writing" in note for note in report.notes)
    assert Gallery.open(layout, report.pipeline_digest).pending
    assert [row[1] for row in sweep(layout, tmp_path)] == ["green", "red"]
    assert not Gallery.open(layout, report.pipeline_digest).pending


def test_hits_and_feedback_follow_a_video_whose_damaged_shard_is_indexed_again_as_part_of_a_stream(
    archive: Path, layout: StoreLayout, tmp_path: Path
) -> None:
    index(layout, archive)
    ((hit_id, *_),) = sweep(layout, tmp_path)
    leave_feedback(layout, FeedbackRecord(hit_id=str(hit_id), verdict="confirm", who="ann", created_utc=NOON))
    for path in layout.shards.rglob(CROPS_FILE):
        path.write_bytes(b"damaged")
    append(archive / EARLIER, BOTH)
    append(archive / EARLIER, RED)
    assert index(layout, archive).total("num_videos") == 3
    (hit,) = sweep(layout, tmp_path) or run_sql(layout, HITS, [EARLIER])[1]
    assert hit[0] != hit_id, "the tracklet is named after the earlier file"
    assert hit[3] == "confirm"
    sql = "SELECT count(*) FROM hits WHERE shard_id NOT IN (SELECT shard_id FROM tracklets)"
    assert run_sql(layout, sql)[1] == [(0,)]
    assert not verify_store(layout, deep=True).is_clean
    collect_garbage(layout)
    assert verify_store(layout, deep=True).is_clean, "the damaged shard has been replaced"


def test_hits_and_feedback_follow_a_person_whose_tracklet_has_another_name_in_the_shard_made_again(
    archive: Path, layout: StoreLayout, tmp_path: Path
) -> None:
    index(layout, archive)
    ((hit_id, _, video_id, _),) = sweep(layout, tmp_path)
    leave_feedback(layout, FeedbackRecord(hit_id=str(hit_id), verdict="confirm", who="ann", created_utc=NOON))
    before = Gallery.open(layout, compose().pipeline.digest).shard_ids
    for path in layout.shards.rglob(CROPS_FILE):
        path.write_bytes(b"damaged")
    index_archive(SmallComposition(compose().settings, ShiftedSource()), layout, archive)
    assert Gallery.open(layout, compose().pipeline.digest).shard_ids == before
    green, red = sweep(layout, tmp_path)
    assert (red[1], red[2], red[3]) == ("red", video_id, "confirm")
    assert red[0] != hit_id, "a tracklet is named after the place where it begins"
    assert green[1] == "green", "the shard is judged again"
    lost = "SELECT count(*) FROM hits WHERE tracklet_id NOT IN (SELECT tracklet_id FROM crops)"
    assert run_sql(layout, lost)[1] == [(0,)]
    assert sweep(layout, tmp_path) == [green, red], "a second sweep changes nothing"


def test_what_was_erased_does_not_come_back_when_its_file_has_grown(
    archive: Path, layout: StoreLayout, tmp_path: Path
) -> None:
    index(layout, archive)
    sweep(layout, tmp_path)
    erase_store(layout, [ErasureRule(videos=(NAME,))])
    append(archive / NAME, BOTH)
    report = index(layout, archive)
    assert (report.erased, report.total("num_videos")) == (1, 0)
    assert sweep(layout, tmp_path) == []


def test_a_grown_file_that_is_lifted_may_grow_on_until_it_is_erased_again(archive: Path, layout: StoreLayout) -> None:
    index(layout, archive)
    for _ in range(2):
        erase_store(layout, [ErasureRule(videos=(NAME,))])
        append(archive / NAME, BOTH)
        assert index(layout, archive).erased == 1
        assert index_archive(compose(), layout, archive, erased=True).total("num_videos") == 1
        append(archive / NAME, RED)
        assert index(layout, archive).grown == 1


def test_another_recording_under_the_path_of_an_erased_one_is_indexed(archive: Path, layout: StoreLayout) -> None:
    index(layout, archive)
    erase_store(layout, [ErasureRule(videos=(NAME,))])
    (archive / NAME).unlink()
    for _ in range(2):
        append(archive / NAME, BOTH)
    assert index(layout, archive).total("num_videos") == 1


def test_a_file_that_grows_every_night_stays_one_video(archive: Path, layout: StoreLayout, tmp_path: Path) -> None:
    for _ in range(3):
        index(layout, archive)
        hits = sweep(layout, tmp_path)
        append(archive / NAME, RED)
    assert len(hits) == 1
    assert run_sql(layout, "SELECT count(*) FROM videos")[1] == [(2,)]
    assert run_sql(layout, "SELECT count(*) FROM incidents")[1] == [(2,)]


def test_a_file_that_shrinks_again_is_not_indexed_again(archive: Path, layout: StoreLayout) -> None:
    index(layout, archive)
    before = (archive / NAME).read_bytes()
    append(archive / NAME, BOTH)
    index(layout, archive)
    (archive / NAME).write_bytes(before)
    assert index(layout, archive).known == 2

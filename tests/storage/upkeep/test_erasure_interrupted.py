"""Erasing footage from a damaged store, while other processes work, and with interruptions."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits import database
from storage.hits.analyst import run_sql
from storage.hits.writer import HitStore
from storage.shards.manifest import Footage, iter_shard_dirs
from storage.shards.quarantine import read_quarantine, record_quarantine
from storage.upkeep import erasure
from storage.upkeep.erasure import erase_footage, erase_returned, find_returned, finish_erasures, withdraw_erased
from storage.upkeep.erasure_log import ErasedFootage, ErasureRule, read_erasures
from storage.upkeep.erasure_plan import plan_erasure
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.storage.erased_stores import (
    EVENING,
    MIXED,
    MORNING,
    OLD,
    PLAIN,
    list_files,
    publish_videos,
    read_all,
)
from tests.storage.examples import NOON, PIPELINE, make_entry

POINTS = [  # tests/faults kills a process at each of them
    "shard.renamed",
    "erasure.noted",
    "erasure.shards_removed",
    "erasure.rows_committed",
    "erasure.database_copied",
    "erasure.finished",
]


@pytest.fixture
def layout(filled: StoreLayout) -> StoreLayout:
    """A filled store under the usual name of the fixture."""
    return filled


@pytest.fixture(scope="module")
def whole(filled_template: StoreLayout, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """The same store after an erasure without interruption."""
    store = StoreLayout(shutil.copytree(filled_template.root, tmp_path_factory.mktemp("whole") / "store"))
    erase_footage(store, [OLD])
    return store


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, BaseException]]:
    """Errors to raise at crash points."""
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)
    errors: dict[str, BaseException] = {}

    def fail(name: str) -> None:
        if name in errors:
            raise errors.pop(name)

    crashpoints.hooks.append(fail)
    yield errors
    crashpoints.hooks.remove(fail)


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupted_erasure_is_reported_by_verify_and_finished_by_the_next_writer(
    layout: StoreLayout, whole: StoreLayout, at: dict[str, BaseException], point: str
) -> None:
    at[point] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        erase_footage(layout, [OLD])
    problems = verify_store(layout, deep=False).problems
    assert any("unfinished" in problem for problem in problems) == (point != "erasure.finished")
    if point != "erasure.noted":
        collect_garbage(layout)
    elif point == "erasure.noted":
        assert ErasedFootage.read(layout).blocks(
            Footage(video_id="video-am", path="", camera="gate", start_utc=EVENING)
        )
        erase_footage(layout, [OLD])
    assert verify_store(layout, deep=True).problems == ()
    assert read_all(layout) == read_all(whole)
    assert list_files(layout) == list_files(whole)
    assert len(read_erasures(layout)) == 1
    assert read_erasures(layout)[0].counts == read_erasures(whole)[0].counts


def test_erasing_while_another_process_writes_is_refused_and_changes_nothing(layout: StoreLayout) -> None:
    before = list_files(layout)
    with HitStore(layout), pytest.raises(StoreBusyError):
        erase_footage(layout, [OLD])
    assert (list_files(layout), read_erasures(layout)) == (before, ())


def test_a_shard_published_by_an_index_run_during_an_erasure_is_withdrawn(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    late = publish_videos(layout, {"am": MORNING, "later": EVENING})
    record_quarantine(layout, replace(make_entry(), pipeline_digest=PIPELINE))
    left = withdraw_erased(layout, PIPELINE, late)
    assert left is not None
    assert [video.video_id for video in left.videos] == ["video-later"]
    assert not layout.shard_dir(late.key).exists()
    assert read_quarantine(layout) == ()
    assert withdraw_erased(layout, PIPELINE, publish_videos(layout, {"old": MORNING})) is None
    assert withdraw_erased(layout, PIPELINE, left) == left


def test_videos_brought_back_by_a_killed_index_run_are_erased_again_by_gc(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    publish_videos(layout, {"am": MORNING, "later": EVENING})
    (problem,) = verify_store(layout, deep=False).problems
    assert "1 erased videos" in problem
    assert collect_garbage(layout).erasures
    assert find_returned(layout) == {}
    assert erase_returned(layout) == finish_erasures(layout) == ()
    assert "video-later" in Gallery.open(layout, PIPELINE).video_ids


def test_shards_published_between_the_plan_and_the_note_are_found(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = erasure.write_erasure

    def publish_first(store: StoreLayout, note: erasure.Erasure) -> None:
        if not read_erasures(store):
            publish_videos(store, {"late": MORNING})
        written(store, note)

    monkeypatch.setattr(erasure, "write_erasure", publish_first)
    erase_footage(layout, [OLD])
    assert Gallery.open(layout, PIPELINE).video_ids == {"video-pm", "video-new"}


def test_a_shard_whose_rows_cannot_be_read_is_erased_whole(layout: StoreLayout) -> None:
    mixed = MIXED
    (directory,) = [path for path in iter_shard_dirs(layout) if path.name == mixed]
    (directory / "crops.parquet").write_bytes(b"cut")
    erase_footage(layout, [OLD])
    assert not directory.exists()
    assert Gallery.open(layout, PIPELINE).video_ids == {"video-new"}
    assert run_sql(layout, "SELECT count(*) FROM coverage")[1] == [(1,)]


def test_a_shard_with_a_damaged_manifest_is_judged_by_its_folders_or_reported_as_unknown(layout: StoreLayout) -> None:
    mixed, old = MIXED, PLAIN
    directories = {path.name: path for path in iter_shard_dirs(layout)}
    for name in (mixed, old):
        (directories[name] / "manifest.json").write_text("damaged")
    report = erase_footage(layout, [ErasureRule(videos=("video-am",))])
    assert {place.rsplit("/", 1)[-1] for place in report.unknown} == {mixed, old}
    assert directories[old].exists()
    erase_footage(layout, [ErasureRule(before_utc=NOON, cameras=("yard",))])
    assert not directories[old].exists()
    assert directories[mixed].exists()


def test_hits_whose_shard_no_longer_exists_are_erased_too(layout: StoreLayout) -> None:
    old = PLAIN
    for path in list(iter_shard_dirs(layout)):
        if path.name == old:
            path.rename(layout.temporary / "gone")
    erase_footage(layout, [ErasureRule(before_utc=NOON + timedelta(seconds=3), cameras=("gate",))])
    assert run_sql(layout, "SELECT video_id FROM hits WHERE video_id = 'video-old'")[1] == []


def test_a_missing_index_does_not_cause_a_shard_to_be_erased_whole(layout: StoreLayout) -> None:
    mixed = MIXED
    (directory,) = [path for path in iter_shard_dirs(layout) if path.name == mixed]
    (directory / "index.faiss").unlink()
    (shard, _) = plan_erasure(layout, [OLD], None).shards
    assert shard.rest_id


def test_a_full_disk_while_copying_the_database_leaves_the_old_one(
    layout: StoreLayout, at: dict[str, BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = database.fsync_path

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database, "fsync_path", full)
    with pytest.raises(StoreError, match="Free space"):
        erase_footage(layout, [OLD])
    assert not list(layout.temporary.glob("working*"))
    monkeypatch.setattr(database, "fsync_path", fsync)
    assert len(finish_erasures(layout)) == 1
    assert verify_store(layout, deep=True).is_clean


def test_a_damaged_note_is_reported(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    (note,) = layout.erasures.iterdir()
    note.write_text("{")
    (problem,) = verify_store(layout, deep=False).problems
    assert note.name in problem
    with pytest.raises(StoreError, match="damaged"):
        ErasedFootage.read(layout)

import resource
import subprocess
import sys
from dataclasses import replace

import pytest

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk.layout import StoreLayout
from storage.hits import snapshot
from storage.hits.analyst import open_snapshot, run_sql
from storage.hits.database import open_working
from storage.hits.inbox import leave_feedback, leave_search
from storage.hits.rows import FeedbackRecord, SearchRecord
from storage.hits.writer import HitStore
from storage.shards.quarantine import record_quarantine
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.storage.examples import NOON, make_content, make_entry, make_query, make_rows, publish_shard, unit_vectors

CONTENT_TABLES = ("sweeps", "coverage", "hits", "judgements", "judgement_slots", "incidents")


def read_all(layout: StoreLayout) -> dict[str, list[tuple[object, ...]]]:
    return {name: run_sql(layout, f"SELECT * FROM {name} ORDER BY ALL")[1] for name in CONTENT_TABLES}


def sweep_and_publish(layout: StoreLayout, sweep_id: str = "s1", tracklet_id: str = "a-t0") -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content(sweep_id, tracklet_id))
        store.publish()


def test_a_sweep_recorded_twice_is_stored_once(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(make_content())
        store.publish()
    first = read_all(layout)
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(make_content())
        store.publish()
    assert read_all(layout) == first
    assert {name: len(rows) for name, rows in first.items()} == dict.fromkeys(CONTENT_TABLES, 1)
    assert len(run_sql(layout, "FROM queries")[1]) == 1


def test_recording_a_sweep_again_removes_rows_it_no_longer_has(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content(tracklet_id="a-t0"))
        store.record_sweep(make_content(tracklet_id="a-t1"))
        store.publish()
    for name in ("hits", "judgements", "judgement_slots"):
        assert run_sql(layout, f"SELECT tracklet_id FROM {name}")[1] == [("a-t1",)]


def test_a_hit_found_again_by_a_later_sweep_is_stored_once(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content("s1"))
        store.record_sweep(make_content("s2"))
        store.publish()
    assert run_sql(layout, "SELECT sweep_id FROM hits")[1] == [("s2",)]


def test_a_covered_shard_is_not_pending_unless_its_sweep_failed(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        assert store.pending({"q1": ""}, ["a", "b"]) == {("q1", "a"), ("q1", "b")}
        store.record_sweep(make_content(status="Failed"))
        assert store.pending({"q1": ""}, ["a", "b"]) == {("q1", "a"), ("q1", "b")}
        store.record_sweep(make_content(status="Degraded"))
        assert store.pending({"q1": "", "q2": ""}, ["a"]) == {("q2", "a")}


def test_a_failed_sweep_is_listed_without_hits(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content(status="Failed", message="no disk"))
        store.publish()
    assert run_sql(layout, "SELECT status, message, published FROM sweeps")[1] == [("Failed", "no disk", False)]
    assert run_sql(layout, "FROM hits")[1] == run_sql(layout, "FROM judgements")[1] == []


@pytest.mark.parametrize("point", ["sweep.rows_replaced", "snapshot.written"])
def test_an_error_before_publishing_leaves_the_old_snapshot(
    layout: StoreLayout, point: str, failing: list[str]
) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content("s1"))
        store.publish()
    before = layout.snapshot.read_bytes()
    failing.append(point)
    with pytest.raises(KeyboardInterrupt):
        sweep_and_publish(layout, "s2", "a-t9")
    assert layout.snapshot.read_bytes() == before
    assert list(layout.temporary.iterdir()) == []
    with HitStore(layout) as store:
        store.publish()
    assert len(run_sql(layout, "FROM sweeps")[1]) == (1 if point == "sweep.rows_replaced" else 2)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from storage.disk import crashpoints
from storage.hits.writer import HitStore
from storage.disk.layout import StoreLayout
from tests.storage.examples import make_content
crashpoints.hooks.append(lambda name: name == sys.argv[2] and os.kill(os.getpid(), signal.SIGKILL))
with HitStore(StoreLayout(Path(sys.argv[1]))) as store:
    store.record_sweep(make_content())
    store.publish()
"""


@pytest.mark.parametrize("point", ["sweep.rows_replaced", "sweep.committed", "snapshot.written", "snapshot.replaced"])
def test_a_killed_sweep_is_complete_or_absent_and_can_be_repeated(layout: StoreLayout, point: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(layout.root), point], check=False)
    assert ended.returncode == -9
    assert verify_store(layout, deep=True).is_clean
    with HitStore(layout) as store:
        is_covered = store.pending({"q1": ""}, ["a"]) == set()
        assert is_covered == (point != "sweep.rows_replaced")
        store.record_sweep(make_content())
        store.publish()
    collect_garbage(layout, grace_seconds=0.0)
    assert {name: len(rows) for name, rows in read_all(layout).items()} == dict.fromkeys(CONTENT_TABLES, 1)
    assert verify_store(layout, deep=True).orphans == ()


def test_an_interrupted_creation_of_the_database_does_not_block_the_next(
    layout: StoreLayout, failing: list[str]
) -> None:
    failing.append("database.created")
    with pytest.raises(KeyboardInterrupt), HitStore(layout):
        pass
    assert not layout.working.exists()
    sweep_and_publish(layout)
    assert run_sql(layout, "SELECT count(*) FROM hits")[1] == [(1,)]


def test_a_new_database_without_a_snapshot_passes_verification(layout: StoreLayout) -> None:
    open_working(layout, layout.temporary).close()
    assert verify_store(layout, deep=True).is_clean
    sweep_and_publish(layout)


def test_a_new_database_that_does_not_fit_on_the_disk_is_not_put_in_place(layout: StoreLayout) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, usual[1]))
    try:
        with pytest.raises(StoreError, match=r"File too large.*Allow larger files"), HitStore(layout):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert not layout.working.exists()
    assert list(layout.temporary.iterdir()) == []
    sweep_and_publish(layout)


def test_a_full_disk_is_reported_and_work_can_continue_later(layout: StoreLayout) -> None:
    sweep_and_publish(layout, "s1")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (layout.working.stat().st_size // 2, usual[1]))
    try:
        with pytest.raises(StoreError, match=r"File too large.*Allow larger files"):
            sweep_and_publish(layout, "s2", "a-t1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert run_sql(layout, "SELECT tracklet_id FROM hits")[1] == [("a-t0",)]
    sweep_and_publish(layout, "s2", "a-t1")
    assert run_sql(layout, "SELECT tracklet_id FROM hits ORDER BY ALL")[1] == [("a-t1",)]  # of the same shard


def test_judging_a_shard_again_keeps_its_judgements_and_replaces_its_hits(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content("s1", "a-t0"))
        decided = replace(make_content("s2", "a-t1"), hits=(), incidents=())
        dropped = store.record_sweep(decided)
        store.publish()
    assert dropped == {make_content("s1", "a-t0").hits[0].picture_path}
    assert run_sql(layout, "SELECT count(*) FROM hits")[1] == [(0,)]
    assert run_sql(layout, "SELECT count(*) FROM incidents")[1] == [(0,)]
    judged = run_sql(layout, "SELECT tracklet_id, accepted FROM judgements ORDER BY ALL")[1]
    assert [row[0] for row in judged] == ["a-t0", "a-t1"]
    assert not judged[0][1]


def test_new_criteria_make_a_covered_shard_pending_again(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content())
        assert store.pending({"q1": ""}, ["a"]) == set()
        assert store.pending({"q1": "accept 0.9"}, ["a"]) == {("q1", "a")}


def test_an_open_reader_keeps_reading_the_old_snapshot(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.record_sweep(make_content("s1", "a-t0"))
        store.publish()
        with open_snapshot(layout) as old:
            store.record_sweep(replace(make_content("s2", "a-t1"), coverage=()))
            store.publish()
            with open_snapshot(layout) as new:
                assert old.run("SELECT count(*) FROM hits")[1] == [(1,)]
                assert new.run("SELECT count(*) FROM hits")[1] == [(2,)]


def test_only_one_process_can_write(layout: StoreLayout) -> None:
    with HitStore(layout), pytest.raises(StoreBusyError, match="Another writer"), HitStore(layout):
        pass
    with HitStore(layout):
        pass


def test_judgements_are_cached_by_key(layout: StoreLayout) -> None:
    with HitStore(layout) as store:
        store.cache_judgements({"k1": '{"answer": "yes"}', "k2": "{}"})
        store.cache_judgements({"k2": "[]"})
    with HitStore(layout) as store:
        assert store.cached_judgements(["k1", "k2", "k3"]) == {"k1": '{"answer": "yes"}', "k2": "[]"}
        assert store.cached_judgements([]) == {}


def test_searches_and_feedback_left_during_a_write_reach_the_tables(layout: StoreLayout) -> None:
    search = SearchRecord(text="'; DROP TABLE hits", who="ann", created_utc=NOON, seconds=0.1, num_results=3)
    feedback = FeedbackRecord(hit_id="h", verdict="reject", who="ann", created_utc=NOON, note="\udcff")
    with HitStore(layout) as store:
        leave_search(layout, search)
        leave_search(layout, search)
        leave_feedback(layout, feedback)
        store.publish()
    assert run_sql(layout, "SELECT text FROM searches")[1] == [("'; DROP TABLE hits",)]
    assert run_sql(layout, "SELECT verdict, note FROM feedback")[1] == [("reject", r"\xff")]
    assert list(layout.inbox.iterdir()) == []


@pytest.mark.parametrize("at_once", [1, 256])
def test_the_snapshot_lists_shards_videos_tracklets_and_crops(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(snapshot, "SHARDS_AT_ONCE", at_once)
    camera = "../x\n'"
    for name in "ab":
        publish_shard(layout, name, make_rows(name, unit_vectors(6), camera=camera), camera=camera)
    record_quarantine(layout, make_entry())
    with HitStore(layout) as store:
        store.publish()
        store.publish()
    assert len(run_sql(layout, "FROM shards")[1]) == 2
    assert run_sql(layout, "SELECT DISTINCT camera FROM tracklets")[1] == [(camera,)]
    counts = "SELECT (SELECT count(*) FROM videos), (SELECT count(*) FROM tracklets), (SELECT count(*) FROM crops)"
    assert run_sql(layout, counts)[1] == [(2, 4, 12)]
    found = run_sql(layout, "SELECT shard_id, pipeline, wall_clock_utc, jpeg FROM crops WHERE crop_id = 'b-0000'")[1]
    assert found == [("b", "p1", NOON.replace(tzinfo=None), b"jpeg b 0")]
    assert run_sql(layout, "SELECT path, tries FROM quarantine")[1] == [("gate/\\xff\n.mp4", 1)]


def test_a_removed_shard_disappears_from_the_tables(layout: StoreLayout) -> None:
    directory = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(6))).key)
    with HitStore(layout) as store:
        store.publish()
        directory.rename(layout.temporary / "gone")
        store.publish()
    assert [run_sql(layout, f"FROM {name}")[1] for name in ("shards", "tracklets", "crops")] == [[], [], []]


def test_an_unreadable_shard_is_reported_and_the_rest_is_published(layout: StoreLayout) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(6)))
    broken = layout.shard_dir(publish_shard(layout, "b", make_rows("b", unit_vectors(6))).key)
    (broken / "crops.parquet").write_bytes(b"broken")
    with HitStore(layout) as store:
        assert len(store.publish()) == 1
    assert len(run_sql(layout, "FROM shards")[1]) == 1


def test_a_damaged_database_is_named_with_a_remedy(layout: StoreLayout) -> None:
    layout.working.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="move it away"), HitStore(layout):
        pass
    assert not verify_store(layout, deep=False).is_clean


def test_a_process_with_a_daemon_thread_ends_without_messages_about_leaks(layout: StoreLayout) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from storage.disk.layout import StoreLayout\n"
        "from storage.hits.writer import HitStore\n"
        "with HitStore(StoreLayout(Path(sys.argv[1]))): pass\n"
        "threading.Thread(target=lambda: threading.Event().wait(), daemon=True).start()\n"
        "sys.stderr.write('last words')"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(layout.root)], capture_output=True, text=True, check=True)
    assert ran.stderr == "last words"

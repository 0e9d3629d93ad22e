import os
import signal
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from storage.hits.analyst import open_snapshot
from storage.hits.runs import OpenRun, RunRecord, drop_old_runs, find_damaged_runs, new_run, read_runs
from storage.hits.tables import RUNS
from storage.hits.writer import HitStore
from storage.upkeep.maintenance import collect_garbage, verify_store


def ended(record: RunRecord, **figures: object) -> RunRecord:
    done = {"state": "Completed", "ended_utc": record.started_utc + timedelta(seconds=9), "seconds": 9.0}
    return replace(record, **{**done, **figures})  # type: ignore[arg-type]


@pytest.fixture
def killed(layout: StoreLayout) -> RunRecord:
    """A run whose process was killed while it worked."""
    record = new_run("index")
    process_id = os.fork()
    if not process_id:
        OpenRun(layout, record)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process_id, 0)
    return record


def test_the_table_has_the_fields_of_a_record() -> None:
    assert set(RUNS.columns) == {item.name for item in fields(RunRecord)}


def test_a_run_is_recorded_when_it_starts_and_when_it_ends(layout: StoreLayout) -> None:
    run = OpenRun(layout, new_run("sweep", profile="pocket"))
    assert [item.state for item in read_runs(layout)] == ["Running"]
    run.end(ended(run.record, state="Degraded", reasons=("2 videos not read",), stage_seconds={"judge": 1.5}))
    (found,) = read_runs(layout)
    assert found == run.record
    assert (found.state, found.reasons, found.stage_seconds) == ("Degraded", ("2 videos not read",), {"judge": 1.5})


def test_a_killed_run_is_reported_as_ended_early(layout: StoreLayout, killed: RunRecord) -> None:
    (found,) = read_runs(layout)
    assert (found.run_id, found.state, found.ended_utc) == (killed.run_id, "Ended early", None)


@pytest.mark.parametrize("point", ["file.written", "file.replaced"])
def test_a_run_killed_while_recording_its_end_is_complete_or_ended_early(layout: StoreLayout, point: str) -> None:
    process_id = os.fork()
    if not process_id:
        run = OpenRun(layout, new_run("index"))
        crashpoints.hooks.append(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == point else None)
        run.end(ended(run.record))
    os.waitpid(process_id, 0)
    assert [item.state for item in read_runs(layout)] == ["Ended early" if point == "file.written" else "Completed"]
    assert verify_store(layout, deep=True).is_clean
    collect_garbage(layout, grace_seconds=0.0)
    assert list(layout.temporary.iterdir()) == []


def test_another_process_sees_that_a_run_is_still_running(layout: StoreLayout) -> None:
    run = OpenRun(layout, new_run("index"))
    process_id = os.fork()
    if not process_id:
        os._exit(int([item.state for item in read_runs(layout)] != ["Running"]))
    assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == 0
    run.end(ended(run.record))


def test_a_forked_child_does_not_keep_a_dead_run_alive(layout: StoreLayout) -> None:
    from_child, to_test = os.pipe()
    from_test, to_child = os.pipe()
    process_id = os.fork()
    if not process_id:
        OpenRun(layout, new_run("index"))
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        os.close(to_child)
        os.write(to_test, b"1")  # fork() has returned here, so the inherited lock is closed
        os.read(from_test, 1)  # until the test has looked
        os._exit(0)
    os.waitpid(process_id, 0)
    assert os.read(from_child, 1) == b"1"
    assert [item.state for item in read_runs(layout)] == ["Ended early"]
    for end in (from_child, to_test, from_test, to_child):
        os.close(end)


def test_only_the_newest_runs_are_kept(layout: StoreLayout) -> None:
    records = [new_run("search") for _ in range(5)]
    for record in records:
        OpenRun(layout, record).end(ended(record))
    assert len(drop_old_runs(layout, max_runs=2)) == 3
    assert [item.run_id for item in read_runs(layout)] == [record.run_id for record in records[3:]]


def test_a_damaged_record_is_reported_by_verify_and_removed_by_gc(layout: StoreLayout) -> None:
    run = OpenRun(layout, new_run("index"))
    run.end(ended(run.record))
    (layout.runs / "broken.json").write_bytes(b"\xff{")
    assert [path.name for path in find_damaged_runs(layout)] == ["broken.json"]
    (problem,) = verify_store(layout, deep=False).problems
    assert "broken.json" in problem
    assert "anomalylmm gc" in problem
    assert [path.name for path in collect_garbage(layout).removed] == ["broken.json"]
    assert verify_store(layout, deep=False).is_clean
    assert len(read_runs(layout)) == 1


def test_a_record_of_a_later_version_is_read(layout: StoreLayout) -> None:
    run = OpenRun(layout, new_run("index"))
    run.end(ended(run.record))
    (path,) = layout.runs.iterdir()
    path.write_text(path.read_text().replace('"kind"', '"of_a_later_version": 3, "kind"'))
    assert read_runs(layout) == (run.record,)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"run_id": "x", "kind": "nap"}', '{"started_utc": 3}'])
def test_text_that_is_not_a_record_counts_as_damaged(layout: StoreLayout, text: str) -> None:
    layout.runs.mkdir()
    path = layout.runs / "broken.json"
    path.write_text(text)
    assert (read_runs(layout), find_damaged_runs(layout)) == ((), [path])


def test_sql_shows_the_present_state_of_runs(layout: StoreLayout, killed: RunRecord) -> None:
    with HitStore(layout) as hits:
        hits.publish()
    run = OpenRun(layout, new_run("index"))
    run.end(ended(run.record, frames_sampled=40, stage_seconds={"decode": 2.0, "detect": 3.5}))
    with open_snapshot(layout) as snapshot:
        found = snapshot.run("SELECT state, frames_sampled, stage_seconds['detect'] FROM runs ORDER BY ALL")
        assert found[1] == [("Completed", 40, 3.5), ("Ended early", None, None)]
        assert snapshot.run("SELECT count(*) FROM runs WHERE ended_utc - started_utc = INTERVAL 9 SECOND")[1] == [(1,)]


def test_without_any_run_the_view_is_empty(layout: StoreLayout) -> None:
    with HitStore(layout) as hits:
        hits.publish()
    with open_snapshot(layout) as snapshot:
        assert snapshot.run("FROM runs")[1] == []


def test_a_store_of_an_earlier_version_has_no_runs(tmp_path: Path) -> None:
    assert read_runs(StoreLayout(tmp_path)) == ()

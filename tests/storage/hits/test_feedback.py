from datetime import timedelta

import duckdb
import pytest

from anomalylmm.errors import StoreError
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.feedback_sql import read_reviews
from storage.hits.inbox import leave_feedback, read_waiting
from storage.hits.rows import FeedbackRecord
from storage.hits.writer import HitStore, tables
from tests.storage.examples import NOON, make_content, make_hit, make_query, make_threshold

HIT = make_hit().hit_id


def make_feedback(verdict: str = "reject", hit_id: str = HIT, minutes: int = 0, who: str = "ann") -> FeedbackRecord:
    created = NOON + timedelta(minutes=minutes)
    return FeedbackRecord(hit_id=hit_id, verdict=verdict, who=who, created_utc=created)  # type: ignore[arg-type]


def publish(layout: StoreLayout, *feedback: FeedbackRecord) -> None:
    leave_feedback(layout, *feedback)
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(make_content())
        store.publish()


def test_several_entries_are_left_in_one_file_and_saved_once(layout: StoreLayout) -> None:
    records = [make_feedback(minutes=number) for number in range(3)]
    leave_feedback(layout, *records)
    leave_feedback(layout, *records)
    leave_feedback(layout)
    assert len(list(layout.inbox.iterdir())) == 1
    assert read_waiting(layout, FeedbackRecord) == records
    publish(layout)
    assert run_sql(layout, "SELECT count(*) FROM feedback")[1] == [(3,)]
    assert read_waiting(layout, FeedbackRecord) == []


def test_a_damaged_file_stays_in_the_inbox_and_does_not_affect_others(layout: StoreLayout) -> None:
    for name, content in {"a": "[{}]", "b": "nothing", "c": '{"verdict": "maybe"}', "d": "[1]"}.items():
        (layout.inbox / f"feedback-{name}.json").write_text(content)
    publish(layout, make_feedback())
    assert run_sql(layout, "SELECT verdict FROM feedback")[1] == [("reject",)]
    assert len(list(layout.inbox.iterdir())) == 4


def test_only_confirm_and_reject_are_verdicts(layout: StoreLayout) -> None:
    leave_feedback(layout, make_feedback("maybe"))
    assert read_waiting(layout, FeedbackRecord) == []


def test_hits_show_their_newest_feedback(layout: StoreLayout) -> None:
    publish(layout)
    assert run_sql(layout, "SELECT hit_id, feedback FROM hits")[1] == [(HIT, None)]
    publish(layout, make_feedback("confirm", minutes=2, who="bob"), make_feedback("reject", minutes=1))
    assert run_sql(layout, "SELECT hit_id, feedback FROM hits")[1] == [(HIT, "confirm")]
    publish(layout, make_feedback("reject", minutes=3), make_feedback("reject", hit_id="gone"))
    assert run_sql(layout, "SELECT hit_id, feedback FROM hits")[1] == [(HIT, "reject")]


def test_reviews_join_feedback_to_its_hit(layout: StoreLayout) -> None:
    publish(layout, make_feedback(), make_feedback(hit_id="gone"))
    with HitStore(layout) as store:
        (review,) = read_reviews(store.read)
    assert review.feedback == make_feedback()
    assert (review.text, review.masked, review.judge_id) == ("a man falls", "a man ____", "judge")
    assert review.confidence == 0.9


def test_the_thresholds_of_a_sweep_are_published_with_it(layout: StoreLayout) -> None:
    used = make_threshold()
    content = make_content()
    with HitStore(layout) as store:
        for _ in range(2):
            store.record_sweep(type(content)(sweep=content.sweep, thresholds=(used,)))
        store.publish()
    rows = run_sql(layout, "SELECT threshold, evidence FROM thresholds JOIN sweeps USING (sweep_id)")[1]
    assert rows == [(0.6, "why")]


def make_old(layout: StoreLayout) -> None:
    """Makes a database like those written before calibration existed."""
    publish(layout)
    with duckdb.connect(str(layout.working)) as connection:
        connection.execute("DROP TABLE thresholds")
        connection.execute("ALTER TABLE queries DROP COLUMN calibrate")


def test_a_store_of_an_earlier_version_opens_and_keeps_its_rows(layout: StoreLayout) -> None:
    make_old(layout)
    before = run_sql(layout, "SELECT * EXCLUDE (calibrate) FROM queries")[1]
    with HitStore(layout) as store:
        store.publish()
    assert run_sql(layout, "SELECT * EXCLUDE (calibrate) FROM queries")[1] == before
    assert run_sql(layout, "SELECT calibrate FROM queries")[1] == [(None,)]
    assert run_sql(layout, "FROM thresholds")[1] == []
    publish(layout, make_feedback())
    assert run_sql(layout, "SELECT calibrate FROM queries")[1] == [(True,)]


def test_missing_columns_are_added_to_every_table(layout: StoreLayout) -> None:
    publish(layout)
    lost = {table.name: next(reversed([name for name in table.columns if name not in table.key])) for table in TABLES}
    with duckdb.connect(str(layout.working)) as connection:
        for table, column in lost.items():
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    publish(layout)
    for table, column in lost.items():
        run_sql(layout, f"SELECT {column} FROM {table}")


TABLES = [table for table in tables.PUBLISHED if set(table.columns) - set(table.key)]


def test_a_store_of_a_later_version_is_refused_with_a_remedy(layout: StoreLayout) -> None:
    publish(layout)
    with duckdb.connect(str(layout.working)) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match=r"version 99.*move the file away"), HitStore(layout):
        pass

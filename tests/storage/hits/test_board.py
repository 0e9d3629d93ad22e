"""The board: pages of incidents, and what people said of them, whatever a sweep is doing meanwhile."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from anomalylmm.errors import StoreError
from storage.disk.layout import StoreLayout
from storage.hits.board import Board
from storage.hits.board_filter import ALL, BoardFilter
from storage.hits.inbox import leave_feedback, read_waiting
from storage.hits.rows import FeedbackRecord, FeedbackVerdict, HitRecord, IncidentRecord, SweepContent
from storage.hits.writer import HitStore
from tests.storage.examples import NOON, make_hit, make_query, make_sweep

NUMBER = 25


def make_hits(number: int = NUMBER) -> list[HitRecord]:
    """Hits an hour apart; every third at the yard, confidences with ties."""
    return [
        replace(
            make_hit(tracklet_id=f"t{place}", camera="yard" if place % 3 == 0 else "gate"),
            start_utc=NOON + timedelta(hours=place),
            confidence=0.5 + place % 5 / 10,
            time_zone="Europe/Berlin" if place % 2 else "no such zone",
        )
        for place in range(number)
    ]


def publish(layout: StoreLayout, hits: list[HitRecord], incidents: tuple[IncidentRecord, ...] = ()) -> None:
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(SweepContent(sweep=make_sweep(), hits=tuple(hits), incidents=incidents))
        store.publish()


def say(layout: StoreLayout, hit_id: str, verdict: FeedbackVerdict, who: str = "ann", minute: int = 0) -> None:
    when = NOON + timedelta(minutes=minute)
    leave_feedback(layout, FeedbackRecord(hit_id=hit_id, verdict=verdict, who=who, created_utc=when))


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    layout = StoreLayout(tmp_path)
    layout.check_writable()
    return layout


@pytest.mark.parametrize("order", ["newest", "confident"])
def test_pages_give_every_incident_once_and_in_order(layout: StoreLayout, order: str) -> None:
    publish(layout, make_hits())
    board, wanted = Board(layout), BoardFilter(order=order)  # type: ignore[arg-type]
    found, cursor = [], None
    while rows := board.page(wanted, cursor, 7):
        found += rows
        cursor = board.cursor_after(wanted, rows[-1])
    assert len({row["incident_id"] for row in found}) == len(found) == NUMBER
    column = "start_utc" if order == "newest" else "confidence"
    assert [row[column] for row in found] == sorted((row[column] for row in found), reverse=True)
    for before, here, after in zip(found, found[1:], found[2:], strict=False):
        beside = board.beside(wanted, here)
        assert [row and row["incident_id"] for row in beside] == [before["incident_id"], after["incident_id"]]
    assert board.beside(wanted, found[0])[0] is None


def test_filters_are_by_the_cameras_clock_and_counts_ignore_their_own_facet(layout: StoreLayout) -> None:
    publish(layout, make_hits())
    board = Board(layout)
    assert board.count(BoardFilter(cameras=("yard",))) == 9
    assert board.counts(BoardFilter(cameras=("yard",)))["camera"] == {"gate": 16, "yard": 9}
    assert board.counts(BoardFilter(cameras=("yard",)))["state"] == {"new": 9}
    assert board.count(BoardFilter(min_confidence=0.75)) == 10
    # 12:00 UTC is the first; the odd ones are shown in Berlin's time, an hour ahead
    assert board.count(BoardFilter(last_day=date(2026, 3, 1))) == 12 - 1
    night = board.page(BoardFilter(first_hour=22, last_hour=2), None, 50)
    assert {row["local_start"].hour for row in night} <= {22, 23, 0, 1, 2}
    assert len(night) == 6


def test_hits_of_one_incident_are_one_row_and_its_state_joins_theirs(layout: StoreLayout) -> None:
    hits = make_hits(3)
    ids = [hit.hit_id for hit in hits]
    incident = IncidentRecord(
        incident_id="i1",
        sweep_id="s1",
        query_version="q1",
        query_name="fall",
        camera="gate",
        start_utc=NOON,
        stop_utc=NOON,
        hit_ids=tuple(ids),
        best_hit_id=ids[2],
    )
    publish(layout, hits, (incident,))
    board = Board(layout)
    (row,) = board.page(ALL, None, 5)
    assert (row["num_hits"], row["best_hit_id"], row["state"]) == (3, ids[2], "new")
    for hit_id, verdict, state in (
        (ids[0], "reject", "new"),
        (ids[1], "unsure", "unsure"),
        (ids[2], "confirm", "confirmed"),
        (ids[2], "reject", "unsure"),
        (ids[1], "reject", "rejected"),
        (ids[1], "clear", "new"),
    ):
        say(layout, hit_id, verdict, minute=int(row["num_hits"]))  # type: ignore[arg-type]
        row["num_hits"] += 1
        board.refresh(has_said=True)
        assert board.incidents(["i1"])[0]["state"] == state


def test_the_last_of_two_people_counts_and_both_are_kept(layout: StoreLayout) -> None:
    publish(layout, make_hits(1))
    board = Board(layout)
    hit_id = make_hits(1)[0].hit_id
    say(layout, hit_id, "reject", "bob", minute=2)
    say(layout, hit_id, "confirm", "ann", minute=1)
    board.refresh(has_said=True)
    (row,) = board.page(ALL, None, 5)
    assert (row["state"], row["who"]) == ("rejected", "bob")
    assert [said["who"] for said in board.remarks([hit_id])] == ["bob", "ann"]


def test_what_a_running_sweep_has_taken_in_still_counts_for_every_desk(layout: StoreLayout) -> None:
    publish(layout, make_hits(2))
    board = Board(layout)
    hit_id = make_hits(2)[0].hit_id
    say(layout, hit_id, "confirm")
    board.refresh(has_said=True)
    with HitStore(layout) as store:
        assert list(layout.inbox.iterdir()) == []
        restarted = Board(layout)
        board.refresh()
        assert [desk.hit(hit_id)["state"] for desk in (board, restarted)] == ["confirmed"] * 2  # type: ignore[index]
        assert [record.verdict for record in read_waiting(layout, FeedbackRecord)] == ["confirm"]
        store.publish()
    assert read_waiting(layout, FeedbackRecord) == []
    board.refresh()
    assert board.version == 2
    assert board.hit(hit_id)["state"] == "confirmed"  # type: ignore[index]
    assert len(board.remarks([hit_id])) == 1


def test_what_a_killed_sweep_has_taken_in_still_counts_and_is_published_once(layout: StoreLayout) -> None:
    publish(layout, make_hits(1))
    hit_id = make_hits(1)[0].hit_id
    say(layout, hit_id, "reject")
    with HitStore(layout):
        pass  # ended before it published
    say(layout, hit_id, "confirm", minute=1)
    board = Board(layout)
    assert board.hit(hit_id)["state"] == "confirmed"  # type: ignore[index]
    assert len(board.remarks([hit_id])) == 2
    publish(layout, make_hits(1))
    board.refresh()
    assert [said["verdict"] for said in board.remarks([hit_id])] == ["confirm", "reject"]
    assert list(layout.unpublished.iterdir()) == []


def test_a_store_without_a_sweep_has_no_incidents_and_a_folder_that_is_none_is_refused(
    layout: StoreLayout, tmp_path: Path
) -> None:
    board = Board(layout)
    assert board.page(ALL, None, 5) == []
    publish(layout, make_hits(2))
    board.refresh()
    assert board.count() == 2
    with pytest.raises(StoreError, match="not a store"):
        Board(StoreLayout(tmp_path / "nothing"))


def test_a_damaged_database_is_named(layout: StoreLayout) -> None:
    layout.snapshot.parent.mkdir(exist_ok=True)
    layout.snapshot.write_bytes(b"nonsense" * 100)
    with pytest.raises(StoreError, match="anomalylmm sweep"):
        Board(layout)

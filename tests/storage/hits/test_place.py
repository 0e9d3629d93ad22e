"""A second machine takes over the writer's place; the locks of the first do not reach it, as on some file systems."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime

import duckdb
import pytest

from anomalylmm.errors import LostClaimError, StoreBusyError
from storage.disk.claims import Claim, Holder
from storage.disk.layout import StoreLayout
from storage.hits.writer import HitStore
from tests.storage.examples import make_content, make_query

LEASE_SECONDS = 0.2


@pytest.fixture(autouse=True)
def _two_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.hits.writer.writer_lock", lambda _: nullcontext())
    monkeypatch.setattr(Holder, "has_surely_ended", False)


@pytest.fixture
def late(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> Iterator[HitStore]:
    """A writer that has begun and saved something, and shows no sign of life since."""
    with monkeypatch.context() as patched:
        patched.setattr(Claim, "beat", lambda _: None)
        with HitStore(layout) as hits:
            hits.register_query(make_query())
            hits.cache_judgements({"early": "{}"})
            yield hits


def sweeps_in(layout: StoreLayout) -> list[str]:
    with duckdb.connect(str(layout.snapshot), read_only=True) as connection:
        return [name for (name,) in connection.execute("SELECT sweep_id FROM sweeps ORDER BY 1").fetchall()]


def test_a_writer_that_is_alive_is_named(layout: StoreLayout) -> None:
    with HitStore(layout, 0.4), pytest.raises(StoreBusyError, match="Another writer is at work: process"):  # noqa: SIM117
        with HitStore(layout, 4.0):
            pass


def test_a_sweep_that_was_taken_over_neither_records_nor_publishes(layout: StoreLayout, late: HitStore) -> None:
    with HitStore(layout, LEASE_SECONDS) as successor:
        assert successor.cached_judgements(["early"]) == {"early": "{}"}
        successor.record_sweep(make_content("newer"))
        successor.publish()
        for act in (lambda: late.record_sweep(make_content("older")), late.publish, late.rewrite_file):
            with pytest.raises(LostClaimError, match="another run has taken over"):
                act()
    assert sweeps_in(layout) == ["newer"]


def test_what_a_late_writer_commits_at_the_last_moment_does_not_reach_the_successor(
    layout: StoreLayout, late: HitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HitStore(layout, LEASE_SECONDS) as successor:
        monkeypatch.setattr(late._claim, "check", lambda: None)  # paused after the check
        late.cache_judgements({"late": "{}"})
        late._connection.execute("CHECKPOINT")
        successor.record_sweep(make_content("newer"))
        monkeypatch.undo()
        with pytest.raises(LostClaimError):
            late.publish()
    with HitStore(layout) as hits:
        assert hits.cached_judgements(["early", "late"]) == {"early": "{}"}
        hits.publish()
    assert sweeps_in(layout) == ["newer"]


def test_a_database_keeps_its_name_unless_it_was_taken_over(layout: StoreLayout) -> None:
    for _ in range(2):
        with HitStore(layout):
            assert layout.working.name == "working.duckdb"
    assert list((layout.root / "claims" / "hits").iterdir()) == []
    assert list(layout.temporary.iterdir()) == []


def test_the_database_of_a_dead_machine_goes_on_under_the_next_number(layout: StoreLayout, late: HitStore) -> None:
    before = datetime.now(UTC)
    with HitStore(layout, LEASE_SECONDS):
        names = [path.name for path in sorted((layout.root / "hits").glob("working*")) if path.suffix == ".duckdb"]
        assert names == ["working.1.duckdb"] == [layout.working.name]
    with HitStore(layout) as hits:
        ((created,),) = hits.read("SELECT created_utc FROM queries")
        assert created.replace(tzinfo=UTC) <= before

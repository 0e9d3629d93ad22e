"""What a forked process does to a store: index, sweep, mend, leave notes, look. Each gives what JSON can hold."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreBusyError
from flows.index.indexing import index_archive
from flows.sweep.sweeping import sweep_store
from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from storage.gallery.compacting import compact_store
from storage.hits.inbox import leave_feedback, leave_search
from storage.hits.rows import FeedbackRecord, SearchRecord
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.drawn import compose_small
from tests.faults.content import OF_THE_RUN, read_content

BUSY_TRIES, BUSY_SECONDS = 100, 0.1
_NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def index(store: str, archive: str, *, decodes: bool = False) -> list[str]:
    """Indexes the archive; gives the ids of the shards made."""
    report = index_archive(compose_small(decodes=decodes), StoreLayout(Path(store)), Path(archive))
    return [unit.shard_id for unit in report.units]


def sweep(store: str, queries: str) -> int:
    """Sweeps the store; gives the number of new hits."""
    return sweep_store(compose_small(), StoreLayout(Path(store)), Path(queries)).num_hits


def mend(store: str, archive: str) -> list[str]:
    """Repairs indexes and indexes again what a damaged shard held."""
    verify_store(StoreLayout(Path(store)), deep=True, repair=True)
    return index(store, archive)


def note(store: str) -> None:
    """Logs two searches and says something of three hits; the next sweep takes it in."""
    layout = StoreLayout(Path(store))
    for text in ("a red jacket", "a fall"):
        leave_search(layout, SearchRecord(text=text, who="ann", created_utc=_NOON, seconds=0.1, num_results=3))
    said = [FeedbackRecord(hit_id=name, verdict="reject", who="ann", created_utc=_NOON, note="no") for name in "abc"]
    leave_feedback(layout, said[0])
    leave_feedback(layout, *said[1:])


def compact(store: str) -> int:
    """Compacts the shards' indexes; gives the number of indexes there are, waiting for another that compacts."""
    layout = StoreLayout(Path(store))
    for _ in range(BUSY_TRIES):
        try:
            return compact_store(layout).num_indexes
        except StoreBusyError:
            time.sleep(BUSY_SECONDS)
    return 0


def verify(store: str) -> dict[str, Any]:
    """Proves the store, every byte."""
    report = verify_store(StoreLayout(Path(store)), deep=True)
    return {"problems": list(report.problems), "orphans": len(report.orphans)}


def collect(store: str, grace_seconds: float) -> int:
    """Removes what abandoned writers left; gives the number."""
    return len(collect_garbage(StoreLayout(Path(store)), grace_seconds=grace_seconds).removed)


def examine(store: str, skip: tuple[str, ...] = tuple(OF_THE_RUN), tables: tuple[str, ...] = ()) -> dict[str, Any]:
    """Proves the store, removes all orphans, and reads everything."""
    layout = StoreLayout(Path(store))
    problems = list(verify_store(layout, deep=True).problems)
    collect_garbage(layout, grace_seconds=0.0)
    left = sorted(path.name for path in layout.temporary.iterdir())
    return {"problems": problems, "left": left, "content": read_content(layout, skip=frozenset(skip), tables=tables)}


def trace(job: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """Runs another job and gives the crash points that it passed, in order."""
    passed: list[str] = []
    crashpoints.hooks.append(passed.append)
    job(**arguments)
    return passed

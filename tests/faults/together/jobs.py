"""What processes do at the same time on one store: sweep, index, collect garbage, read, and ask for the lock."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from anomalylmm.errors import StoreBusyError
from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from storage.disk.locks import writer_lock
from storage.hits.analyst import open_snapshot
from tests.faults import jobs as store_jobs

WAIT_SECONDS, PATIENCE_SECONDS = 0.05, 600.0
READER_PAUSE_SECONDS = 0.2  # ten readers leave the writers some of two cores
COUNTS_SQL = """
SELECT (SELECT count(*) FROM hits), (SELECT count(*) FROM judgements), (SELECT count(*) FROM coverage),
(SELECT count(*) FROM sweeps), (SELECT count(*) FROM shards),
(SELECT count(*) FROM hits ANTI JOIN sweeps USING (sweep_id)),
(SELECT count(*) FROM hits ANTI JOIN judgements USING (query_version, tracklet_id))
"""
SEEN_SQL = "SELECT count(*) FROM hits JOIN crops USING (crop_id)"


@contextmanager
def _signing(signs: str, name: str) -> Iterator[None]:
    """Leaves a sign when a writer has ended, so that readers end too."""
    try:
        yield
    finally:
        (Path(signs) / name).touch()


def sweep_often(store: str, queries: Sequence[str], signs: str, name: str) -> dict[str, list[Any]]:
    """Sweeps with one query file after the other, waiting where another writes; notes each published state."""
    published: list[list[int]] = []
    waited: list[str] = []
    crashpoints.hooks.append(lambda point: published.append(count(store)) if point == "snapshot.replaced" else None)
    with _signing(signs, name):
        for file in queries:
            _wait_for_turn(lambda file=file: store_jobs.sweep(store, file), waited)  # type: ignore[misc]
    return {"published": published, "waited": waited}


def _wait_for_turn(work: Callable[[], object], waited: list[str]) -> None:
    began = time.monotonic()
    while True:
        try:
            work()
        except StoreBusyError as error:
            waited.append(str(error))
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise
            time.sleep(WAIT_SECONDS)
        else:
            return


def index_all(store: str, archive: str, signs: str, name: str) -> dict[str, list[Any]]:
    """Indexes the archive."""
    with _signing(signs, name):
        store_jobs.index(store, archive)
    return {}


def collect_often(store: str, signs: str, num_writers: int) -> dict[str, list[Any]]:
    """Collects garbage with the usual grace until the writers have ended."""
    removed = [0]
    while not _all_ended(signs, num_writers):
        removed[0] += store_jobs.collect(store, 3600.0)
        time.sleep(WAIT_SECONDS)
    return {"removed": removed}


def read_often(store: str, signs: str, num_writers: int, plain: bool) -> dict[str, list[Any]]:
    """Reads until the writers have ended; gives each state seen, in order, and what did not fit together."""
    seen: list[list[int]] = []
    torn: list[str] = []
    num_reads = 0
    while not _all_ended(signs, num_writers):
        state = _read_plain(store) if plain else _read_as_analyst(store, torn)
        num_reads += 1
        if not seen or state != seen[-1]:
            seen.append(state)
        time.sleep(READER_PAUSE_SECONDS)
    return {"seen": seen, "torn": torn, "reads": [num_reads]}


def _all_ended(signs: str, num_writers: int) -> bool:
    if not Path(signs).is_dir():
        return True  # the whole run was given up
    return len(list(Path(signs).iterdir())) >= num_writers


def _read_plain(store: str) -> list[int]:
    with duckdb.connect(str(StoreLayout(Path(store)).snapshot), read_only=True) as connection:
        return list(connection.execute(COUNTS_SQL).fetchall()[0])


def _read_as_analyst(store: str, torn: list[str]) -> list[int]:
    with open_snapshot(StoreLayout(Path(store))) as snapshot:
        state = list(snapshot.run(COUNTS_SQL)[1][0])
        shown = snapshot.run(SEEN_SQL)[1][0][0]
    if shown != state[0]:
        torn.append(f"{state[0]} hits, but the crops of {shown}")
    return state


def count(store: str) -> list[int]:
    """The numbers of rows that are published now."""
    return _read_plain(store)


def take_lock(store: str) -> float:
    """Takes the writer's lock once; gives the seconds it took."""
    began = time.monotonic()
    with writer_lock(StoreLayout(Path(store)).hits_lock):
        return time.monotonic() - began

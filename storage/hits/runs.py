"""One small file per run: when it ran, how it ended and what it needed; it names no person, camera, file or query.

The file is locked while its process runs. If it says Running and is not locked, the process was killed.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import TypeAdapter

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, fsync_path, guarded, replace_file, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.leftovers import remove_path
from storage.disk.locks import acquire, release
from storage.disk.notes import Utc, revive, to_json
from storage.hits.tables import RUNS, record_row

RunKind = Literal["index", "sweep", "search", "export", "erase", "recamera"]
RunState = Literal["Running", "Completed", "Degraded", "Failed", "Ended early"]
MAX_RUNS = 500  # only the newest are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run; numbers that its kind does not have are None."""

    run_id: str
    kind: RunKind
    state: RunState
    started_utc: Utc
    ended_utc: Utc | None = None
    seconds: float | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)  # stages overlap, so the sum may be larger
    profile: str = ""
    pipeline: str = ""
    sweep_id: str = ""
    flow_run_id: str = ""  # of the Prefect run that did it; empty for a command
    flow_run_url: str = ""  # of that run's page
    reasons: tuple[str, ...] = ()  # why it is not Completed: kinds of problems and their numbers
    num_videos: int | None = None
    num_unreadable: int | None = None  # not read, or only in part, in this run
    num_quarantined: int | None = None  # left out because earlier runs could not read them
    frames_sampled: int | None = None  # decoded and passed on
    frames_detected: int | None = None  # given to the detector, after the motion gate
    num_tracklets: int | None = None
    num_crops: int | None = None
    coverage: float | None = None  # decoded share of the seconds that the videos promised, 0..1
    num_shards: int | None = None
    num_candidates: int | None = None
    num_judged: int | None = None
    num_calls: int | None = None  # questions to the judge
    num_cached: int | None = None  # answered by the cache
    num_hits: int | None = None
    peak_memory_mib: float | None = None  # of this process since it started
    peak_child_memory_mib: float | None = None  # of its largest child process, such as a decoder


_RUN = TypeAdapter(RunRecord)


class OpenRun:
    """A run in progress, recorded as Running until it ends or its process does."""

    def __init__(self, layout: StoreLayout, record: RunRecord) -> None:
        """Records that the run has started, and removes the records of the oldest runs.

        Raises:
            StoreError: If it can't be written.
        """
        self.record = record
        self._layout, self._path = layout, layout.runs / f"{record.run_id}.json"
        create_directories(layout.runs, layout.temporary)
        self._lock = _publish_locked(self._path, to_json(record), layout.temporary)
        drop_old_runs(layout)

    def end(self, record: RunRecord) -> None:
        """Records how the run ended.

        Raises:
            StoreError: If it can't be written; then the run counts as ended early.
        """
        self.record = record
        try:
            replace_file(self._path, to_json(record), scratch=self._layout.temporary)
        finally:
            release(self._lock)

    def withdraw(self) -> None:
        """Removes the record, if the work has not started.

        Raises:
            StoreError: If it can't be removed.
        """
        try:
            remove_path(self._path)
        finally:
            release(self._lock)


def new_run(kind: RunKind, **names: Any) -> RunRecord:
    """A run that starts now; ``names`` are fields of the record, such as its profile."""
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"  # sorts by time
    return replace(RunRecord(run_id=run_id, kind=kind, state="Running", started_utc=now), **names)


def read_runs(layout: StoreLayout) -> tuple[RunRecord, ...]:
    """All recorded runs, oldest first; unreadable records are left out."""
    return tuple(record for path in _paths(layout) if (record := _read(path)) is not None)


def read_runs_table(layout: StoreLayout) -> pa.Table:
    """All recorded runs as an Arrow table; times are UTC without a zone."""
    runs = read_runs(layout)
    rows = [record_row(RUNS, run, stage_seconds=list(run.stage_seconds.items())) for run in runs]
    return pa.Table.from_pylist(rows, schema=RUNS.schema)  # Arrow converts times to UTC


def find_damaged_runs(layout: StoreLayout) -> list[Path]:
    """Records of runs that can't be read."""
    return [path for path in _paths(layout) if _read(path) is None and path.exists()]


def drop_old_runs(layout: StoreLayout, max_runs: int = MAX_RUNS) -> list[Path]:
    """Removes the records of all but the newest runs; returns their paths.

    Raises:
        StoreError: If one can't be removed.
    """
    old = _paths(layout)[:-max_runs]
    for path in old:
        remove_path(path)
    return old


def _publish_locked(path: Path, content: bytes, scratch: Path) -> int:
    """Writes ``content`` to ``path`` in one step, locked from the start; returns the descriptor of the lock."""
    building = scratch / unique_name(path.name)
    with guarded("write", path):
        descriptor = os.open(building, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            acquire(descriptor)
            building.write_bytes(content)
            fsync_path(building)
            building.rename(path)
            fsync_path(path.parent)
        except BaseException:
            release(descriptor)
            building.unlink(missing_ok=True)
            raise
    return descriptor


def _paths(layout: StoreLayout) -> list[Path]:
    return sorted(layout.runs.glob("*.json"))


def _read(path: Path) -> RunRecord | None:
    """The record in one file; None if it is damaged or gone."""
    try:
        with path.open(encoding="utf-8") as file:
            record = revive(json.load(file), _RUN)
            if record.state != "Running" or _is_locked(file.fileno()):
                return record
            if os.fstat(file.fileno()).st_ino != path.stat().st_ino:
                return _read(path)  # the run has ended in the meantime
    except (StoreError, OSError, ValueError, RecursionError):
        return None
    return replace(record, state="Ended early", reasons=("its process was ended",))


def _is_locked(descriptor: int) -> bool:
    """Whether the writer is still running; the lock is shared, so that readers do not mistake each other for it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False

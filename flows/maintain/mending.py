"""Carries out corrections of cameras and clocks, and goes on with one that was killed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from anomalylmm.errors import StoreBusyError
from anomalylmm.measure.incidents import group_incidents
from flows.maintain.corrections import Correction, CorrectionPlan
from flows.runs.progress import Silence
from flows.runs.recording import list_reasons, recording
from flows.sweep.findings import read_interval, record_incident
from flows.sweep.page import write_latest_page
from storage.disk.layout import StoreLayout, require_store
from storage.hits import tables
from storage.hits.analyst import open_snapshot
from storage.hits.rows import IncidentRecord
from storage.hits.writer import HitStore
from storage.shards.facts import read_corrections, write_correction
from storage.shards.manifest import Footage
from storage.shards.quarantine import correct_cameras, read_quarantine
from storage.upkeep.erasure_log import ErasedFootage
from storage.upkeep.mending import find_outdated, mend_shards

_HITS_SQL = """
SELECT hit_id, query_version, camera, start_utc, stop_utc, confidence, pipeline, query_name, sweep_id FROM hits
WHERE list_contains(?::VARCHAR[], camera) ORDER BY created_utc
"""
_QUERIES_SQL = """
SELECT query_name FROM queries WHERE enabled AND list_has_any(cameras, ?::VARCHAR[]) GROUP BY ALL ORDER BY ALL
"""
_COUNT_SQL = "SELECT count(*) FROM hits WHERE video_id IN (SELECT unnest(?::VARCHAR[]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class MendingReport:
    """What was corrected."""

    num_videos: int
    num_shards: int  # rewritten
    problems: tuple[str, ...]  # shards that can't be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What follows from a correction."""

    num_hits: int  # published ones in the changed videos
    queries: tuple[str, ...]  # enabled ones that name a camera of which no video is left
    num_erased: int  # videos that an earlier erasure matches then


def correct_store(layout: StoreLayout, plan: CorrectionPlan, correction: Correction) -> MendingReport:
    """Saves the correction, rewrites the shards it contradicts, and publishes hits and incidents again.

    Raises:
        StoreBusyError: A sweep or an erasure is running; then nothing has changed. Or an earlier correction had been
            killed: then only that one is finished, as it may be the same, and a shift must not be applied twice.
        StoreError: The store does not exist or can't be written; the next sweep or correction goes on.
    """
    require_store(layout)
    layout.create()
    if finish_mending(layout):
        raise StoreBusyError(
            "an earlier correction was interrupted and has just been finished; nothing else was changed. Look at the "
            "videos, and repeat the command if it asks for more"
        )
    with HitStore(layout) as hits, recording(layout, "recamera", Silence()) as run:
        if plan.changes or correction.renamed:
            write_correction(
                layout,
                {change.video_id: change.new for change in plan.changes},
                reason=correction.describe(),
                by_hand=correction.by_hand,
                renamed=correction.renamed,
            )
        correct_cameras(layout, read_quarantine(layout), lambda _, name: correction.renamed.get(name, name))
        num_shards, problems = mend_shards(layout, hits, read_corrections(layout), regroup_incidents)
        if layout.snapshot.exists():
            hits.publish()
            write_latest_page(layout)
        run.end(
            state="Degraded" if problems else "Completed",
            reasons=list_reasons(shards_not_corrected=len(problems)),
            num_videos=len(plan.changes),
            num_shards=num_shards,
        )
    return MendingReport(num_videos=len(plan.changes), num_shards=num_shards, problems=problems)


def finish_mending(layout: StoreLayout) -> bool:
    """Goes on with a correction that was killed; takes no lock and returns False if there is none.

    Raises:
        StoreBusyError: A sweep or an erasure is running.
        StoreError: The store can't be read or written.
    """
    corrections = read_corrections(layout)
    if next(find_outdated(layout, corrections), None) is None:
        return False
    with HitStore(layout) as hits:
        num_shards, _ = mend_shards(layout, hits, corrections, regroup_incidents)
        if layout.snapshot.exists():
            hits.publish()
    return num_shards > 0


def foresee(layout: StoreLayout, plan: CorrectionPlan) -> Consequences:
    """Finds what follows from a correction, without a lock and without writing.

    Raises:
        StoreError: The published tables or the notes on erasures can't be read.
    """
    erased = ErasedFootage.read(layout)
    num_erased = sum(
        erased.blocks(
            Footage(video_id=change.video_id, path="", camera=change.new.camera, start_utc=change.new.start_utc)
        )
        for change in plan.changes
    )
    if not layout.snapshot.exists():
        return Consequences(num_hits=0, queries=(), num_erased=num_erased)
    with open_snapshot(layout) as snapshot:
        num_hits = snapshot.read(_COUNT_SQL, [[change.video_id for change in plan.changes]])[0][0]
        names = snapshot.read(_QUERIES_SQL, [sorted(plan.cameras_gone)])
    return Consequences(num_hits=int(num_hits), queries=tuple(name for (name,) in names), num_erased=num_erased)


def regroup_incidents(connection: duckdb.DuckDBPyConnection, cameras: frozenset[str]) -> None:
    """Makes the incidents of some cameras again from their hits."""
    groups: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in connection.execute(_HITS_SQL, [sorted(cameras)]).fetchall():
        groups[row[6]].append(row)
    ids = [row[0] for rows in groups.values() for row in rows]
    connection.execute("DELETE FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [ids])
    records = [record for rows in groups.values() for record in _build_incidents(rows)]
    tables.upsert(connection, tables.INCIDENTS, [tables.record_row(tables.INCIDENTS, record) for record in records])


def _build_incidents(rows: Sequence[Sequence[Any]]) -> Iterator[IncidentRecord]:
    """Groups the hits of one pipeline, oldest first; an incident belongs to the sweep that found its newest hit."""
    places = {row[0]: place for place, row in enumerate(rows)}
    for item in group_incidents(read_interval(row[:6]) for row in rows):
        *_, query_name, sweep_id = rows[max(places[hit_id] for hit_id in item.hit_ids)]
        yield record_incident(item, sweep_id, query_name)

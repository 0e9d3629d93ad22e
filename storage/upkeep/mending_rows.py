"""Moves the rows of the hits database to the shards that replace others, with their new cameras and times."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import pyarrow as pa

from storage.shards.facts import VideoFacts
from storage.shards.schema import clean_text

_MOVES = pa.schema(
    [
        *((name, pa.string()) for name in ("video_id", "old_shard", "new_shard", "old_camera", "camera")),
        *((name, pa.string()) for name in ("clock_source", "time_zone")),
        ("shift", pa.duration("us")),
        ("is_retimed", pa.bool_()),
    ]
)
_HITS_SQL = """
UPDATE hits SET camera = m.camera, shard_id = m.new_shard, clock_source = m.clock_source, time_zone = m.time_zone,
    start_utc = start_utc + m.shift, stop_utc = stop_utc + m.shift, best_utc = best_utc + m.shift
FROM moves m WHERE hits.shard_id = m.old_shard AND hits.video_id = m.video_id
"""
_JUDGEMENTS_SQL = """
UPDATE judgements SET camera = m.camera, shard_id = m.new_shard
FROM moves m WHERE judgements.shard_id = m.old_shard AND judgements.video_id = m.video_id
"""
# a query that the change brings into or out of its cameras or times is asked again by the next sweep
_COVERAGE_SQL = """
INSERT INTO coverage (query_version, shard_id, pipeline, sweep_id, criteria)
SELECT query_version, new_shard, pipeline, sweep_id, criteria
FROM coverage JOIN queries USING (query_version)
JOIN (
    SELECT old_shard, new_shard, old_camera, camera, bool_or(is_retimed) AS is_retimed FROM moves GROUP BY ALL
) ON shard_id = old_shard
WHERE (len(cameras) = 0 OR list_contains(cameras, old_camera) = list_contains(cameras, camera))
    AND (NOT is_retimed OR (start_utc IS NULL AND stop_utc IS NULL AND daily_start = '' AND daily_stop = ''))
ON CONFLICT DO NOTHING
"""
_COVERED_SQL = "DELETE FROM coverage WHERE shard_id IN (SELECT old_shard FROM moves)"
_ANSWERS_SQL = """
UPDATE judgement_cache SET shard_ids = list_distinct(list_concat(
    list_filter(shard_ids, lambda x: NOT list_contains(?::VARCHAR[], x)), ?::VARCHAR[]
)) WHERE list_has_any(shard_ids, ?::VARCHAR[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One video whose rows go from one shard to another."""

    video_id: str
    old_shard_id: str
    new_shard_id: str
    old: VideoFacts
    new: VideoFacts

    @property
    def shift(self) -> timedelta:
        """How much later it began than was thought."""
        return self.new.start_utc - self.old.start_utc

    @property
    def is_retimed(self) -> bool:
        """Whether its local times are others than before."""
        return bool(self.shift) or self.new.time_zone != self.old.time_zone


def move_rows(connection: duckdb.DuckDBPyConnection, moves: Sequence[Move]) -> int:
    """Moves hits, judgements, coverage and remembered answers; returns the number of hits.

    A second call finds no rows of the old shards and changes nothing. Feedback belongs to hits, whose ids stay.
    """
    rows = [_row(move) for move in moves]
    connection.register("moves", pa.Table.from_pylist(rows, schema=_MOVES))
    try:
        num_hits = int(connection.execute(_HITS_SQL).fetchall()[0][0])
        connection.execute(_JUDGEMENTS_SQL)
        connection.execute(_COVERAGE_SQL)
        connection.execute(_COVERED_SQL)
    finally:
        connection.unregister("moves")
    for old in sorted({move.old_shard_id for move in moves}):
        new = sorted({move.new_shard_id for move in moves if move.old_shard_id == old})
        connection.execute(_ANSWERS_SQL, [[old], new, [old]])
    return num_hits


def _row(move: Move) -> dict[str, object]:
    return {
        "video_id": clean_text(move.video_id),
        "old_shard": move.old_shard_id,
        "new_shard": move.new_shard_id,
        "old_camera": clean_text(move.old.camera),
        "camera": clean_text(move.new.camera),
        "clock_source": move.new.clock_source,
        "time_zone": move.new.time_zone,
        "shift": move.shift,
        "is_retimed": move.is_retimed,
    }

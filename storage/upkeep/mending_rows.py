"""Moves the rows of the hits database to the shards that replace others, with their new cameras and times."""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

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


def move_rows(connection: duckdb.DuckDBPyConnection, moves: Sequence[Mapping[str, object]]) -> int:
    """Moves hits, judgements, coverage and remembered answers; returns the number of hits.

    Each of ``moves`` is one video with the columns of ``_MOVES``: its shards, its new facts, how much later it began
    than was thought, and whether its local times change. A second call finds no rows of the old shards and changes
    nothing. Feedback belongs to hits, whose ids stay.
    """
    connection.register("moves", pa.Table.from_pylist(list(moves), schema=_MOVES))
    try:
        num_hits = int(connection.execute(_HITS_SQL).fetchall()[0][0])
        connection.execute(_JUDGEMENTS_SQL)
        connection.execute(_COVERAGE_SQL)
        connection.execute(_COVERED_SQL)
    finally:
        connection.unregister("moves")
    successors: dict[str, set[str]] = {}
    for move in moves:
        successors.setdefault(str(move["old_shard"]), set()).add(str(move["new_shard"]))
    for old, new in sorted(successors.items()):
        connection.execute(_ANSWERS_SQL, [[old], sorted(new), [old]])
    return num_hits

"""Moves the rows of the hits database to the shards that replace others: after a correction, a growth or an erasure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from storage.disk.layout import ShardKey
from storage.shards.facts import VideoFacts
from storage.shards.manifest import ShardManifest
from storage.shards.schema import clean_text

Rest = tuple[str, ShardManifest]  # id of a shard, and the shard that now holds what was kept of it
_MOVES = pa.schema(
    [
        *((name, pa.string()) for name in ("video_id", "old_shard", "new_video", "new_shard", "old_camera", "camera")),
        *((name, pa.string()) for name in ("clock_source", "time_zone")),
        ("shift", pa.duration("us")),
        ("is_retimed", pa.bool_()),
        ("is_judged", pa.bool_()),
    ]
)
_HITS_SQL = """
UPDATE hits SET video_id = m.new_video, shard_id = m.new_shard, camera = m.camera, clock_source = m.clock_source,
    time_zone = m.time_zone, start_utc = start_utc + m.shift, stop_utc = stop_utc + m.shift,
    best_utc = best_utc + m.shift
FROM moves m WHERE hits.shard_id = m.old_shard AND hits.video_id = m.video_id
"""
_JUDGEMENTS_SQL = """
UPDATE judgements SET video_id = m.new_video, shard_id = m.new_shard, camera = m.camera
FROM moves m WHERE judgements.shard_id = m.old_shard AND judgements.video_id = m.video_id
"""
# a query that the change brings into or out of its cameras or times is asked again by the next sweep
_COVERAGE_SQL = """
INSERT INTO coverage (query_version, shard_id, pipeline, sweep_id, criteria)
SELECT query_version, new_shard, pipeline, sweep_id, criteria
FROM coverage JOIN queries USING (query_version)
JOIN (
    SELECT old_shard, new_shard, old_camera, camera, bool_or(is_retimed) AS is_retimed FROM moves
    GROUP BY ALL HAVING bool_and(is_judged)
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
_INCIDENTS_SQL = """
CREATE TEMP TABLE refreshed AS SELECT i.* REPLACE (
    found.hit_ids AS hit_ids, len(found.hit_ids) AS num_hits, found.best_hit_id AS best_hit_id,
    found.camera AS camera, found.start_utc AS start_utc, found.stop_utc AS stop_utc
)
FROM incidents i LEFT JOIN (
    SELECT incident_id, list(hit_id ORDER BY place) AS hit_ids, any_value(hits.camera) AS camera,
        first(hit_id ORDER BY confidence DESC, hits.start_utc, hit_id) AS best_hit_id,
        min(hits.start_utc) AS start_utc, max(hits.stop_utc) AS stop_utc
    FROM (SELECT incident_id, unnest(hit_ids) AS hit_id, generate_subscripts(hit_ids, 1) AS place FROM incidents)
    JOIN hits USING (hit_id) GROUP BY incident_id
) found USING (incident_id)
WHERE list_has_any(i.hit_ids, ?::VARCHAR[])
"""


def build_move(
    video_id: str,
    old: tuple[str, VideoFacts],
    key: ShardKey,
    new: VideoFacts,
    *,
    new_video: str = "",
    is_judged: bool = True,
) -> dict[str, object]:
    """Says where the rows about one video go.

    Args:
        video_id: The video.
        old: Its shard, and what was known of it.
        key: The shard that holds it now.
        new: What is known of it now.
        new_video: Its id in the new shard, if that is another one.
        is_judged: Whether the queries that have been run on the old shard need not be run on the new one.
    """
    old_shard, known = old
    return {
        "video_id": clean_text(video_id),
        "old_shard": old_shard,
        "new_video": clean_text(new_video or video_id),
        "new_shard": key.shard_id,
        "old_camera": clean_text(known.camera),
        "camera": clean_text(new.camera),
        "clock_source": new.clock_source,
        "time_zone": new.time_zone,
        "shift": new.start_utc - known.start_utc,
        "is_retimed": (new.start_utc, new.time_zone) != (known.start_utc, known.time_zone),
        "is_judged": is_judged,
    }


def iter_rest_moves(rests: Iterable[Rest]) -> Iterator[dict[str, object]]:
    """Says where the rows about videos go whose shard lost others, and that nothing else changes."""
    for old_shard, manifest in rests:
        for video in manifest.videos:
            facts = VideoFacts.of(manifest, video)
            yield build_move(video.video_id, (old_shard, facts), manifest.key, facts)


def move_rows(connection: duckdb.DuckDBPyConnection, moves: Sequence[Mapping[str, object]]) -> int:
    """Moves hits, judgements, coverage and remembered answers; returns the number of hits.

    Each of ``moves`` is made by ``build_move``. A second call finds no rows of the old shards and changes nothing.
    Feedback belongs to hits, whose ids stay.
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


def refresh_incidents(connection: duckdb.DuckDBPyConnection, hit_ids: Sequence[str]) -> int:
    """Makes the incidents with any of these hits agree with the hits that are left; returns how many have none."""
    connection.execute(_INCIDENTS_SQL, [list(hit_ids)])
    connection.execute("DELETE FROM incidents WHERE incident_id IN (SELECT incident_id FROM refreshed)")
    connection.execute("INSERT INTO incidents BY NAME SELECT * FROM refreshed WHERE num_hits > 0")
    num_gone = int(connection.execute("SELECT count(*) FROM refreshed WHERE num_hits IS NULL").fetchall()[0][0])
    connection.execute("DROP TABLE refreshed")
    return num_gone

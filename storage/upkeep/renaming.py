"""Gives hits the tracklets of a new shard, where a video was tracked again and the same person has another id there."""

from pathlib import Path

import duckdb

from storage.hits.rows import make_hit_id
from storage.shards.reading import read_columns

# a hit fits the tracklet whose crop shows the same place within a second: a person has one crop a second
_FITTING_SQL = """
WITH pairs AS (
    SELECT hit_id, query_version, hits.tracklet_id, c.tracklet_id AS fitting, c.crop_id AS fitting_crop,
        abs(c.pts_seconds - best_seconds) AS away, hits.box_xyxy_px AS a, c.box_xyxy_px AS b,
        greatest(0, least(a[3], b[3]) - greatest(a[1], b[1])) * greatest(0, least(a[4], b[4]) - greatest(a[2], b[2]))
            AS shared,
        (a[3] - a[1]) * (a[4] - a[2]) + (b[3] - b[1]) * (b[4] - b[2]) - shared AS joined
    FROM hits JOIN new_crops c ON c.video_id = $3
    WHERE hits.video_id = $1 AND pipeline = $2 AND hits.tracklet_id NOT IN (SELECT tracklet_id FROM new_crops)
        AND away <= 1 AND shared >= joined / 2
)
SELECT hit_id, any_value(query_version), any_value(tracklet_id),
    first(fitting ORDER BY away, shared / joined DESC, fitting),
    first(fitting_crop ORDER BY away, shared / joined DESC, fitting)
FROM pairs GROUP BY hit_id ORDER BY hit_id
"""
_RENAME_HIT_SQL = "UPDATE hits SET hit_id = ?, tracklet_id = ?, crop_id = ? WHERE hit_id = ?"
_JUDGED_SQL = "SELECT 1 FROM judgements WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?"
_RENAME_JUDGEMENT_SQL = """
UPDATE judgements SET tracklet_id = ?, crop_id = ? WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?
"""
_RENAME_SLOTS_SQL = """
UPDATE judgement_slots SET tracklet_id = ? WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?
"""
_RENAME_GROUPED_SQL = """
UPDATE incidents SET hit_ids = CASE WHEN list_contains(hit_ids, $2) THEN list_filter(hit_ids, lambda x: x <> $1)
    ELSE list_transform(hit_ids, lambda x: CASE WHEN x = $1 THEN $2 ELSE x END) END
WHERE list_contains(hit_ids, $1)
"""
_DELETE_SQL = (
    """
DELETE FROM judgement_slots WHERE (query_version, tracklet_id, pipeline) IN (
    SELECT query_version, tracklet_id, pipeline FROM judgements
    WHERE video_id = $1 AND pipeline = $2 AND tracklet_id NOT IN (SELECT tracklet_id FROM new_crops)
)
""",
    """
DELETE FROM judgements
WHERE video_id = $1 AND pipeline = $2 AND tracklet_id NOT IN (SELECT tracklet_id FROM new_crops)
""",
    "DELETE FROM hits WHERE video_id = $1 AND pipeline = $2 AND tracklet_id NOT IN (SELECT tracklet_id FROM new_crops)",
)


def follow_tracklets(
    connection: duckdb.DuckDBPyConnection, video_id: str, pipeline: str, directory: Path, new_video: str
) -> list[str]:
    """Renames the hits of a video after the tracklets of a new shard, and deletes the rows that fit none of them.

    Feedback, judgements and incidents follow.

    Args:
        connection: In a transaction.
        video_id: The video, as the rows name it.
        pipeline: The pipeline's digest.
        directory: The new shard.
        new_video: The video, as the new shard names it.

    Returns:
        The ids of the hits whose incidents are to be refreshed.

    Raises:
        ShardError: If the shard can't be read.
    """
    names = ["tracklet_id", "crop_id", "video_id", "pts_seconds", "box_xyxy_px"]
    connection.register("new_crops", read_columns(directory, names))
    try:
        found = connection.execute(_FITTING_SQL, [video_id, pipeline, new_video]).fetchall()
        renamed = [_rename(connection, hit_id, (version, old, pipeline), *new) for hit_id, version, old, *new in found]
        all_hits = "SELECT hit_id FROM hits WHERE video_id = ? AND pipeline = ?"
        ids = [hit_id for (hit_id,) in connection.execute(all_hits, [video_id, pipeline]).fetchall()]
        for sql in _DELETE_SQL:
            connection.execute(sql, [video_id, pipeline])
    finally:
        connection.unregister("new_crops")
    return [*ids, *renamed]


def _rename(
    connection: duckdb.DuckDBPyConnection, hit_id: str, key: tuple[str, str, str], tracklet: str, crop: str
) -> str:
    """Renames one hit and returns its new id; if there is one of that id, the old one goes and its feedback moves."""
    version, _, pipeline = key
    new_id = make_hit_id(version, tracklet, pipeline)
    if connection.execute("SELECT 1 FROM hits WHERE hit_id = ?", [new_id]).fetchall():
        connection.execute("DELETE FROM hits WHERE hit_id = ?", [hit_id])
    else:
        connection.execute(_RENAME_HIT_SQL, [new_id, tracklet, crop, hit_id])
    if not connection.execute(_JUDGED_SQL, [version, tracklet, pipeline]).fetchall():
        connection.execute(_RENAME_SLOTS_SQL, [tracklet, *key])
        connection.execute(_RENAME_JUDGEMENT_SQL, [tracklet, crop, *key])
    connection.execute("UPDATE feedback SET hit_id = ? WHERE hit_id = ?", [new_id, hit_id])
    connection.execute(_RENAME_GROUPED_SQL, [hit_id, new_id])
    return new_id

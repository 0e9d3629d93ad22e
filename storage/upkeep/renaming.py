"""Gives hits the tracklets of a new shard, where a video was tracked again and the same person has another id there."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalylmm.records import Floats
from storage.hits.rows import make_hit_id
from storage.shards.reading import read_columns

MAX_SECONDS = 1.0  # between the best crop of a hit and a crop of the same person, at one crop a second
MIN_OVERLAP = 0.5  # intersection over union of their boxes
_LOST_SQL = """
SELECT hit_id, query_version, tracklet_id, best_seconds, box_xyxy_px FROM hits
WHERE video_id = ? AND pipeline = ? AND NOT list_contains(?::VARCHAR[], tracklet_id) ORDER BY hit_id
"""
_GROUPED_SQL = """
UPDATE incidents SET hit_ids = list_distinct(list_transform(hit_ids, lambda x: CASE WHEN x = $1 THEN $2 ELSE x END))
WHERE list_contains(hit_ids, $1)
"""
_RENAME_HIT_SQL = "UPDATE hits SET hit_id = ?, tracklet_id = ?, crop_id = ? WHERE hit_id = ?"
_JUDGED_SQL = "SELECT 1 FROM judgements WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?"
_RENAME_JUDGEMENT_SQL = """
UPDATE judgements SET tracklet_id = ?, crop_id = ? WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?
"""
_RENAME_SLOTS_SQL = """
UPDATE judgement_slots SET tracklet_id = ? WHERE query_version = ? AND tracklet_id = ? AND pipeline = ?
"""
_DELETE_SQL = (
    """
DELETE FROM judgement_slots WHERE (query_version, tracklet_id, pipeline) IN (
    SELECT query_version, tracklet_id, pipeline FROM judgements
    WHERE video_id = ? AND pipeline = ? AND NOT list_contains(?::VARCHAR[], tracklet_id)
)
""",
    "DELETE FROM judgements WHERE video_id = ? AND pipeline = ? AND NOT list_contains(?::VARCHAR[], tracklet_id)",
    "DELETE FROM hits WHERE video_id = ? AND pipeline = ? AND NOT list_contains(?::VARCHAR[], tracklet_id)",
)


def follow_tracklets(
    connection: duckdb.DuckDBPyConnection, video_id: str, pipeline: str, directory: Path, new_video: str
) -> list[str]:
    """Renames the hits of a video after the tracklets of a new shard, and deletes the rows that fit none of them.

    Feedback, judgements and incidents follow. A hit fits the tracklet that shows the same place at the same time.

    Args:
        connection: In a transaction.
        video_id: The video, as the rows name it.
        pipeline: The pipeline's digest.
        directory: The new shard.
        new_video: The video, as the new shard names it.

    Returns:
        The ids of the hits whose incidents are to be refreshed: those of the video, and those that were deleted.

    Raises:
        ShardError: If the shard can't be read.
    """
    crops = read_columns(directory, ["tracklet_id", "crop_id", "video_id", "pts_seconds", "box_xyxy_px"])
    tracklets = sorted(set(crops.column("tracklet_id").to_pylist()))
    crops = crops.filter(pc.equal(crops.column("video_id"), pa.scalar(new_video)))
    where = [video_id, pipeline, tracklets]
    for hit_id, version, tracklet, *place in connection.execute(_LOST_SQL, where).fetchall():
        found = _find(crops, *place)
        if found:
            _rename(connection, hit_id, (version, tracklet, pipeline), *found)
    all_hits = connection.execute("SELECT hit_id FROM hits WHERE video_id = ? AND pipeline = ?", where[:2]).fetchall()
    for sql in _DELETE_SQL:
        connection.execute(sql, where)
    return [hit_id for (hit_id,) in all_hits]


def _find(crops: pa.Table, seconds: float, box: Sequence[float]) -> tuple[str, str] | None:
    """Finds tracklet and id of the crop that shows the same person; None if there is none."""
    if not len(crops):
        return None
    away = np.abs(crops.column("pts_seconds").to_numpy() - seconds)
    boxes = np.array(crops.column("box_xyxy_px").to_pylist(), np.float32)
    overlap = np.where(away <= MAX_SECONDS, _overlaps(np.array(box, np.float32), boxes), 0.0)
    best = min(range(len(crops)), key=lambda row: (overlap[row] < MIN_OVERLAP, away[row], -overlap[row]))
    if overlap[best] < MIN_OVERLAP:
        return None
    return crops.column("tracklet_id")[best].as_py(), crops.column("crop_id")[best].as_py()


def _overlaps(box: Floats, others: Floats) -> Floats:
    """Intersection over union of a box (4,) with N others (N, 4); shape (N,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-6))


def _rename(
    connection: duckdb.DuckDBPyConnection, hit_id: str, key: tuple[str, str, str], tracklet: str, crop: str
) -> None:
    """Renames one hit; if there is one of the new name, the old one goes and its feedback moves."""
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
    connection.execute(_GROUPED_SQL, [hit_id, new_id])

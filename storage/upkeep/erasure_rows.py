"""Deletes, counts and remaps the rows of the hits database that belong to erased videos, in one transaction."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from storage.disk.crashpoints import reach
from storage.disk.layout import StoreLayout
from storage.hits import tables
from storage.hits.snapshot import synchronize
from storage.hits.tables import Reader
from storage.upkeep.erasure_log import AffectedShard, Erasure

COUNTS = ("num_hits", "num_judgements", "num_incidents", "num_feedback", "num_searches", "num_cached")
_ANY = "IN (SELECT unnest(?::VARCHAR[]))"
_GONE_HITS = "SELECT hit_id FROM hits WHERE video_id IN (SELECT unnest(?::VARCHAR[]))"
_GONE_SLOTS = """
(query_version, tracklet_id, pipeline) IN (
    SELECT query_version, tracklet_id, pipeline FROM judgements WHERE video_id IN (SELECT unnest(?::VARCHAR[]))
)
"""
_PICTURES_SQL = "SELECT picture_path, video_id IN (SELECT unnest(?::VARCHAR[])) FROM hits"
_BOUNDS_SQL = """
SELECT hit_id, start_utc, stop_utc FROM hits WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))
ORDER BY confidence DESC, start_utc, hit_id
"""
_MOVE_SQL = """
INSERT INTO coverage (query_version, shard_id, pipeline, sweep_id, criteria)
SELECT query_version, ?, pipeline, sweep_id, criteria FROM coverage WHERE shard_id = ? ON CONFLICT DO NOTHING
"""
# earlier versions did not record the pictures of an answer: the first erasure deletes those, except answers on masks
_GONE_ANSWERS = """
list_has_any(shard_ids, ?::VARCHAR[]) OR (shard_ids IS NULL AND NOT starts_with(payload, '{"masks":'))
"""


def delete_rows(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, erasure: Erasure) -> None:
    """Deletes the rows about erased videos; rows about kept videos then name the shards that these were moved to.

    Thresholds, queries and sweeps stay: they hold sentences, numbers and counts, but no person. A second call changes
    nothing and keeps the counts of the first.
    """
    ids = list(erasure.video_ids)
    touched = [hit_id for (hit_id,) in connection.execute(_GONE_HITS, [ids]).fetchall()]
    counts = {
        "num_incidents": shrink_incidents(connection, touched),
        "num_feedback": _delete(connection, "feedback", f"hit_id {_ANY}", touched),
        "num_searches": _delete(connection, "searches", f"search_id {_ANY}", list(erasure.search_ids)),
        "num_cached": _delete(connection, "judgement_cache", _GONE_ANSWERS, list(erasure.shard_ids)),
    }
    _delete(connection, "judgement_slots", _GONE_SLOTS, ids)
    counts["num_judgements"] = _delete(connection, "judgements", f"video_id {_ANY}", ids)
    counts["num_hits"] = _delete(connection, "hits", f"video_id {_ANY}", ids)
    for shard in erasure.shards:
        move_kept_rows(layout, connection, shard)
    synchronize(layout, connection)
    _record(connection, erasure, counts)
    reach("erasure.rows_deleted")


def count_rows(read: Reader, erasure_id: str) -> dict[str, int]:
    """How many rows an erasure deleted, as recorded in the database."""
    rows = read(f"SELECT {', '.join(COUNTS)} FROM erasures WHERE erasure_id = ?", [erasure_id])  # noqa: S608 - names are our own
    return dict(zip(COUNTS, rows[0], strict=True))


def iter_pictures(layout: StoreLayout, read: Reader, erasure: Erasure) -> Iterator[Path]:
    """The pictures of deleted hits, and pictures without a hit, which killed sweeps leave behind."""
    reports = layout.reports.resolve()
    rows = read(_PICTURES_SQL, [list(erasure.video_ids)])
    kept = {(reports / path).resolve() for path, is_gone in rows if not is_gone}
    for path, is_gone in rows:
        place = (reports / path).resolve()
        if is_gone and place not in kept and place.is_relative_to(reports) and place.is_file():
            yield place
    for place in (reports / "pictures").glob("*.jpg"):
        if place not in kept:
            yield place


def _delete(connection: duckdb.DuckDBPyConnection, table: str, condition: str, values: list[str]) -> int:
    deleted = connection.execute(f"DELETE FROM {table} WHERE {condition}", [values])  # noqa: S608 - names are our own
    return int(deleted.fetchall()[0][0])


def move_kept_rows(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, shard: AffectedShard) -> None:
    """Moves the rows of kept videos to their new shard, so that no query is run on it again."""
    old, new = shard.shard_id, shard.rest_id
    if new and (layout.root / shard.directory).with_name(new).is_dir():
        connection.execute(_MOVE_SQL, [new, old])
        for table in ("hits", "judgements"):
            connection.execute(f"UPDATE {table} SET shard_id = ? WHERE shard_id = ?", [new, old])  # noqa: S608 - names are our own
    connection.execute("DELETE FROM coverage WHERE shard_id = ?", [old])


def shrink_incidents(connection: duckdb.DuckDBPyConnection, gone: list[str]) -> int:
    """Removes hits from incidents; returns how many incidents were deleted because they had no other hits."""
    found = connection.execute("SELECT * FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [gone])
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    left = [{**row, "hit_ids": [hit_id for hit_id in row["hit_ids"] if hit_id not in set(gone)]} for row in rows]
    _delete(connection, "incidents", f"incident_id {_ANY}", [row["incident_id"] for row in rows])
    shrunk = [{**row, **_bounds(connection, row["hit_ids"])} for row in left if row["hit_ids"]]
    for row in shrunk:
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO incidents ({columns}) VALUES ({marks})", list(row.values()))  # noqa: S608 - names are our own
    return len(left) - len(shrunk)


def _bounds(connection: duckdb.DuckDBPyConnection, hit_ids: list[str]) -> dict[str, object]:
    hits = connection.execute(_BOUNDS_SQL, [hit_ids]).fetchall()
    if not hits:
        return {"num_hits": len(hit_ids), "best_hit_id": hit_ids[0]}
    starts, stops = [start for _, start, _ in hits], [stop for _, _, stop in hits]
    return {"num_hits": len(hit_ids), "best_hit_id": hits[0][0], "start_utc": min(starts), "stop_utc": max(stops)}


def _record(connection: duckdb.DuckDBPyConnection, erasure: Erasure, counts: dict[str, int]) -> None:
    known = connection.execute("SELECT 1 FROM erasures WHERE erasure_id = ?", [erasure.erasure_id]).fetchall()
    if not known:
        num_crops = sum(shard.num_crops for shard in erasure.shards)
        facts = {"num_videos": len(erasure.video_ids), "num_crops": num_crops, **counts}
        tables.upsert(connection, tables.ERASURES, [tables.record_row(tables.ERASURES, erasure, **facts)])

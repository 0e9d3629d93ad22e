"""Deletes, counts and remaps the rows of the hits database that belong to erased videos, in one transaction."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from anomalylmm.errors import ShardError
from storage.disk.crashpoints import reach
from storage.disk.layout import StoreLayout
from storage.hits import tables
from storage.hits.snapshot import synchronize
from storage.hits.tables import Reader
from storage.shards.manifest import read_manifest
from storage.shards.reading import read_columns
from storage.upkeep.erasure_log import AffectedShard, Erasure
from storage.upkeep.moving import Rest, iter_rest_moves, move_rows, refresh_incidents

COUNTS = ("num_hits", "num_judgements", "num_incidents", "num_feedback", "num_searches", "num_cached")
_ANY = "IN (SELECT unnest(?::VARCHAR[]))"
_GONE_HITS = "SELECT hit_id FROM hits WHERE video_id IN (SELECT unnest(?::VARCHAR[]))"
_GONE_SLOTS = """
(query_version, tracklet_id, pipeline) IN (
    SELECT query_version, tracklet_id, pipeline FROM judgements WHERE video_id IN (SELECT unnest(?::VARCHAR[]))
)
"""
_PICTURES_SQL = "SELECT picture_path, video_id IN (SELECT unnest(?::VARCHAR[])) FROM hits"
# a query is asked again about the half of a tracklet that is kept, if it had judged it by the other half
_HALVES_SQL = """
DELETE FROM coverage WHERE shard_id = $1 AND query_version IN (
    SELECT query_version FROM judgements
    WHERE video_id IN (SELECT unnest($2::VARCHAR[])) AND tracklet_id IN (SELECT unnest($3::VARCHAR[]))
)
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
    rests = list(_iter_rests(layout, erasure.shards))
    for (shard_id, _), tracklets in rests:
        connection.execute(_HALVES_SQL, [shard_id, ids, tracklets])
    counts = {
        "num_feedback": _delete(connection, "feedback", f"hit_id {_ANY}", touched),
        "num_searches": _delete(connection, "searches", f"search_id {_ANY}", list(erasure.search_ids)),
        "num_cached": _delete(connection, "judgement_cache", _GONE_ANSWERS, list(erasure.shard_ids)),
    }
    _delete(connection, "judgement_slots", _GONE_SLOTS, ids)
    counts["num_judgements"] = _delete(connection, "judgements", f"video_id {_ANY}", ids)
    counts["num_hits"] = _delete(connection, "hits", f"video_id {_ANY}", ids)
    counts["num_incidents"] = refresh_incidents(connection, touched)
    move_rows(connection, list(iter_rest_moves(rest for rest, _ in rests)))
    _delete(connection, "coverage", f"shard_id {_ANY}", list(erasure.shard_ids))
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


def _iter_rests(layout: StoreLayout, shards: Iterable[AffectedShard]) -> Iterator[tuple[Rest, list[str]]]:
    """The shards that hold what was kept of others, with their tracklets."""
    for shard in shards:
        place = (layout.root / shard.directory).with_name(shard.rest_id or shard.shard_id)
        with suppress(ShardError):  # nothing was kept, or verify names it
            if shard.rest_id:
                tracklets = read_columns(place, ["tracklet_id"]).column("tracklet_id").to_pylist()
                yield (shard.shard_id, read_manifest(place)), sorted(set(tracklets))


def _record(connection: duckdb.DuckDBPyConnection, erasure: Erasure, counts: dict[str, int]) -> None:
    known = connection.execute("SELECT 1 FROM erasures WHERE erasure_id = ?", [erasure.erasure_id]).fetchall()
    if not known:
        num_crops = sum(shard.num_crops for shard in erasure.shards)
        facts = {"num_videos": len(erasure.video_ids), "num_crops": num_crops, **counts}
        tables.upsert(connection, tables.ERASURES, [tables.record_row(tables.ERASURES, erasure, **facts)])

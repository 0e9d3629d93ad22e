"""Replaces the shorter versions of files that have grown: their rows go, and hits and judgements move to the new ones.

A grown video has the tracklet ids of its shorter version, so hits, incidents and feedback keep their ids. The shard of
the grown video names the shorter versions, and galleries leave it out until the last of these is gone. So each step can
be repeated, and a killed process leaves either the old or the new.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from storage.disk.crashpoints import reach
from storage.disk.layout import StoreLayout
from storage.gallery.compacting import remove_shards
from storage.gallery.gallery import Gallery
from storage.gallery.shard import GalleryShard
from storage.hits.writer import HitStore
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.reading import read_columns
from storage.upkeep.erasure import publish_rest
from storage.upkeep.erasure_log import AffectedShard
from storage.upkeep.erasure_plan import rest_of
from storage.upkeep.erasure_rows import move_kept_rows, shrink_incidents

_GONE = "FROM {} WHERE video_id = ? AND pipeline = ?"
_MOVE_SQL = """
UPDATE {} SET video_id = ?, shard_id = ?, camera = ? {}
WHERE video_id = ? AND pipeline = ? AND tracklet_id IN (SELECT unnest(?::VARCHAR[]))
"""
_MOVE_TIMES = """
, start_utc = start_utc + to_microseconds(?), stop_utc = stop_utc + to_microseconds(?),
best_utc = best_utc + to_microseconds(?), clock_source = ?, time_zone = ?
"""
_BOUNDS_SQL = """
UPDATE incidents SET camera = $1,
start_utc = (SELECT min(hits.start_utc) FROM hits WHERE list_contains(incidents.hit_ids, hits.hit_id)),
stop_utc = (SELECT max(hits.stop_utc) FROM hits WHERE list_contains(incidents.hit_ids, hits.hit_id))
WHERE list_has_any(hit_ids, (SELECT list(hits.hit_id) FROM hits WHERE hits.video_id = $2 AND hits.pipeline = $3))
"""
_SLOTS_SQL = """
DELETE FROM judgement_slots WHERE pipeline = $2 AND (query_version, tracklet_id) IN
(SELECT query_version, tracklet_id FROM judgements WHERE video_id = $1 AND pipeline = $2)
"""
_ANSWERS_SQL = """
UPDATE judgement_cache SET shard_ids = list_distinct(list_concat(shard_ids, ?::VARCHAR[]))
WHERE list_has_any(shard_ids, ?::VARCHAR[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """A shorter version in one shard, and the video that replaces it in another."""

    old_shard: GalleryShard
    old: VideoEntry
    new_shard: GalleryShard
    new: VideoEntry


def replace_outgrown(layout: StoreLayout, pipeline_digest: str) -> int:
    """Removes what shards hold of files that have grown since; takes no lock if there is nothing to remove.

    Returns:
        How many videos were removed.

    Raises:
        StoreBusyError: If a sweep or an erasure is running; then nothing has changed.
        StoreError: If the store can't be read or written; the next call goes on.
    """
    if not Gallery.open(layout, pipeline_digest).pending:
        return 0
    with HitStore(layout) as hits:
        found = tuple(_iter_growth(Gallery.open(layout, pipeline_digest)))
        outgrown = {item.old_shard.directory: item.old_shard for item in found}
        shards = [_publish_rest(layout, shard, found) for shard in outgrown.values()]
        reach("growth.rests_published")
        hits.change("move the hits of grown videos", lambda connection: _move_rows(layout, connection, found, shards))
        reach("growth.rows_moved")
        remove_shards(layout, list(outgrown))
        reach("growth.shards_removed")
        if layout.snapshot.exists():
            hits.publish()
    return len(found)


def _iter_growth(gallery: Gallery) -> Iterator[_Growth]:
    """What the pending shards replace; of a file that grew several times, the longest version replaces all others."""
    longest: dict[str, tuple[GalleryShard, VideoEntry]] = {}
    for shard in gallery.pending:
        for video in shard.manifest.videos:
            for old_id in video.grown_from:
                known = longest.get(old_id)
                if known is None or len(known[1].grown_from) < len(video.grown_from):
                    longest[old_id] = (shard, video)
    for shard in (*gallery.shards, *gallery.pending):
        if not longest.keys().isdisjoint(shard.video_ids):
            for video in shard.manifest.videos:
                if video.video_id in longest:
                    new_shard, new = longest[video.video_id]
                    yield _Growth(old_shard=shard, old=video, new_shard=new_shard, new=new)


def _publish_rest(layout: StoreLayout, shard: GalleryShard, found: Sequence[_Growth]) -> AffectedShard:
    """Publishes the other videos of a shard under another id, if there are any."""
    gone = {item.old.video_id for item in found if item.old_shard == shard}
    rest_id = rest_of(shard.manifest, gone)
    if rest_id:
        publish_rest(layout, shard.directory, rest_id, gone)
    place = shard.directory.relative_to(layout.root).as_posix()
    return AffectedShard(directory=place, rest_id=rest_id, num_videos=len(gone), num_crops=0)


def _move_rows(
    layout: StoreLayout,
    connection: duckdb.DuckDBPyConnection,
    found: Sequence[_Growth],
    shards: Sequence[AffectedShard],
) -> None:
    for item in found:
        _move_video(connection, item)
    _name_shards(connection, found, shards)
    for shard in shards:
        move_kept_rows(layout, connection, shard)


def _move_video(connection: duckdb.DuckDBPyConnection, item: _Growth) -> None:
    """Moves hits and judgements whose tracklet is in the longer version too, and deletes the others."""
    manifest: ShardManifest = item.new_shard.manifest
    pipeline, camera = manifest.key.pipeline_digest, manifest.key.camera
    tracklets = sorted(set(read_columns(item.new_shard.directory, ["tracklet_id"]).column("tracklet_id").to_pylist()))
    old, new = [item.old.video_id, pipeline], [item.new.video_id, pipeline]
    places = [item.new.video_id, item.new_shard.shard_id, camera]
    microseconds = round((item.new.start_utc - item.old.start_utc).total_seconds() * 1e6)
    times = [*[microseconds] * 3, item.new.clock_source, item.new.time_zone]
    connection.execute(_MOVE_SQL.format("hits", _MOVE_TIMES), [*places, *times, *old, tracklets])
    connection.execute(_MOVE_SQL.format("judgements", ""), [*places, *old, tracklets])
    gone = [hit_id for (hit_id,) in connection.execute(f"SELECT hit_id {_GONE.format('hits')}", old).fetchall()]
    shrink_incidents(connection, gone)
    connection.execute(_SLOTS_SQL, old)
    for table in ("hits", "judgements"):
        connection.execute(f"DELETE {_GONE.format(table)}", old)
    connection.execute(_BOUNDS_SQL, [camera, *new])


def _name_shards(
    connection: duckdb.DuckDBPyConnection, found: Sequence[_Growth], shards: Sequence[AffectedShard]
) -> None:
    """Notes that answers about the old shards are about the new ones too, so that an erasure there deletes them."""
    after = {item.new_shard.shard_id for item in found} | {shard.rest_id for shard in shards} - {""}
    connection.execute(_ANSWERS_SQL, [sorted(after), [shard.shard_id for shard in shards]])

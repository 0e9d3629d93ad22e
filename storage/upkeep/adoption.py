"""Moves rows about videos whose shard was lost to the shards that hold them now, after they were indexed again.

A damaged shard is indexed again with whatever is new beside it, so its videos may come into other shards, and people
who cross the cut between two files may get tracklets of other names. If nothing is new, the shard gets the id that it
had, and another decoder or processor may still have given its tracklets other names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb

from storage.gallery.gallery import Gallery
from storage.gallery.opening import GalleryShard
from storage.hits.writer import HitStore
from storage.shards.facts import VideoFacts
from storage.shards.manifest import VideoEntry
from storage.shards.reading import read_columns
from storage.upkeep.moving import build_move, move_rows, refresh_incidents
from storage.upkeep.renaming import follow_tracklets

Holders = Mapping[str, tuple[GalleryShard, VideoEntry]]  # by video
_ROUNDING = timedelta(milliseconds=1)
_ORPHANS_SQL = """
SELECT video_id, shard_id, any_value(camera), min(best_utc - to_microseconds(round(best_seconds * 1e6)::BIGINT))
FROM (
    SELECT video_id, shard_id, pipeline, camera, best_utc, best_seconds FROM hits UNION ALL BY NAME
    SELECT video_id, shard_id, pipeline, camera FROM judgements
)
WHERE pipeline = ? AND NOT list_contains(?::VARCHAR[], shard_id) GROUP BY video_id, shard_id ORDER BY ALL
"""
_LAST_SQL = "SELECT max(started_utc) FROM sweeps WHERE pipeline = ?"
_JUDGED_SQL = """
SELECT shard_id, video_id, list(tracklet_id) FROM (
    SELECT shard_id, video_id, pipeline, tracklet_id FROM hits UNION BY NAME
    SELECT shard_id, video_id, pipeline, tracklet_id FROM judgements
)
WHERE pipeline = ? AND list_contains(?::VARCHAR[], shard_id) GROUP BY ALL ORDER BY ALL
"""
_LAPSED_SQL = "DELETE FROM coverage WHERE shard_id = ?"


def adopt_rows(hits: HitStore, gallery: Gallery) -> int:
    """Moves hits, judgements and feedback of lost shards to those that hold their videos now.

    Returns:
        How many videos they were about; the next sweep judges these again.

    Raises:
        StoreError: If the store can't be read or written.
    """
    if not gallery.shards:
        return 0
    holders = {video.video_id: (shard, video) for shard in gallery.shards for video in shard.manifest.videos}
    present = [shard.shard_id for shard in (*gallery.shards, *gallery.pending)]
    pipeline = gallery.shards[0].manifest.key.pipeline_digest
    moves = list(_iter_moves(hits.read(_ORPHANS_SQL, [pipeline, present]), holders))
    remade = dict(_iter_remade(hits, gallery, pipeline))
    followed = {str(move["video_id"]): holders[str(move["video_id"])][0] for move in moves} | remade

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        touched: list[str] = []
        for video_id, shard in sorted(followed.items()):
            touched += follow_tracklets(connection, video_id, pipeline, shard.directory, video_id)
        move_rows(connection, moves)
        for shard in remade.values():
            connection.execute(_LAPSED_SQL, [shard.shard_id])
        refresh_incidents(connection, touched)

    if followed:
        hits.change("move the hits of lost shards", work)
    return len(followed)


def _iter_remade(hits: HitStore, gallery: Gallery, pipeline: str) -> Iterator[tuple[str, GalleryShard]]:
    """Finds the videos of shards made since the last sweep that lack a tracklet which the shard of that id had."""
    ((last,),) = hits.read(_LAST_SQL, [pipeline])
    since = last.replace(tzinfo=UTC) if last else datetime.max.replace(tzinfo=UTC)
    fresh = {shard.shard_id: shard for shard in gallery.shards if shard.manifest.created_utc > since}
    for shard_id, video_id, tracklets in hits.read(_JUDGED_SQL, [pipeline, sorted(fresh)]) if fresh else ():
        held = read_columns(fresh[shard_id].directory, ["tracklet_id"]).column("tracklet_id").unique().to_pylist()
        if not set(held).issuperset(tracklets):
            yield video_id, fresh[shard_id]


def _iter_moves(
    orphans: Sequence[tuple[str, str, str, datetime | None]], holders: Holders
) -> Iterator[dict[str, object]]:
    for video_id, shard_id, camera, start in orphans:
        if video_id in holders:
            shard, video = holders[video_id]
            new = VideoFacts.of(shard.manifest, video)
            began = start.replace(tzinfo=UTC) if start else new.start_utc
            old = replace(
                new, camera=camera, start_utc=began if abs(began - new.start_utc) > _ROUNDING else new.start_utc
            )
            yield build_move(video_id, (shard_id, old), shard.manifest.key, new, is_judged=False)

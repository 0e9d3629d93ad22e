"""Moves rows about videos whose shard was lost to the shards that hold them now, after they were indexed again.

A damaged shard is indexed again with whatever is new beside it, so its videos may come into other shards, and people
who cross the cut between two files may get tracklets of other names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb

from storage.gallery.gallery import Gallery
from storage.gallery.shard import GalleryShard
from storage.hits.writer import HitStore
from storage.shards.facts import VideoFacts
from storage.shards.manifest import VideoEntry
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

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        touched: list[str] = []
        for video_id in sorted({str(move["video_id"]) for move in moves}):
            place = holders[video_id][0].directory
            touched += follow_tracklets(connection, video_id, pipeline, place, video_id)
        move_rows(connection, moves)
        refresh_incidents(connection, touched)

    if moves:
        hits.change("move the hits of lost shards", work)
    return len(moves)


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

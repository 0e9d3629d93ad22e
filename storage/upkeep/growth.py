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
from storage.gallery.opening import GalleryShard
from storage.hits.writer import HitStore
from storage.shards.facts import VideoFacts
from storage.shards.manifest import VideoEntry
from storage.upkeep.erasure import publish_rest
from storage.upkeep.erasure_plan import rest_of
from storage.upkeep.moving import Rest, build_move, iter_rest_moves, move_rows, refresh_incidents
from storage.upkeep.renaming import follow_tracklets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """A shorter version in one shard, and the video that replaces it in another."""

    old_shard: GalleryShard
    old: VideoEntry
    new_shard: GalleryShard
    new: VideoEntry

    def describe_move(self) -> dict[str, object]:
        """Where its rows go (see ``move_rows``); the new part is yet to be judged."""
        old, new = self.old_shard.manifest, self.new_shard.manifest
        return build_move(
            self.old.video_id,
            (old.key.shard_id, VideoFacts.of(old, self.old)),
            new.key,
            VideoFacts.of(new, self.new),
            new_video=self.new.video_id,
            is_judged=False,
        )


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
        rests = [rest for rest in (_publish_rest(layout, shard, found) for shard in outgrown.values()) if rest]
        reach("growth.rests_published")
        hits.change("move the hits of grown videos", lambda connection: _move_rows(connection, found, rests))
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
        if not longest.keys().isdisjoint(shard.manifest.video_ids):
            for video in shard.manifest.videos:
                if video.video_id in longest:
                    new_shard, new = longest[video.video_id]
                    yield _Growth(old_shard=shard, old=video, new_shard=new_shard, new=new)


def _publish_rest(layout: StoreLayout, shard: GalleryShard, found: Sequence[_Growth]) -> Rest | None:
    """Publishes the other videos of a shard under another id; None if there are none."""
    gone = {item.old.video_id for item in found if item.old_shard == shard}
    rest_id = rest_of(shard.manifest, gone)
    return (shard.shard_id, publish_rest(layout, shard.directory, rest_id, gone)) if rest_id else None


def _move_rows(connection: duckdb.DuckDBPyConnection, found: Sequence[_Growth], rests: Sequence[Rest]) -> None:
    touched: list[str] = []
    for item in found:
        pipeline, place = item.new_shard.manifest.key.pipeline_digest, item.new_shard.directory
        touched += follow_tracklets(connection, item.old.video_id, pipeline, place, item.new.video_id)
    move_rows(connection, [*(item.describe_move() for item in found), *iter_rest_moves(rests)])
    refresh_incidents(connection, touched)

"""Carries out corrections of cameras and clocks on what is indexed, by rewriting the shards that they contradict.

The correction is written down first. Each step after that can be repeated: a killed process leaves shards that still
contradict the corrections, and the next writer goes on with them. Index runs may go on at the same time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from anomalylmm.errors import ShardError
from storage.disk.crashpoints import reach
from storage.disk.files import digest_json
from storage.disk.layout import ShardKey, StoreLayout
from storage.gallery.compacting import remove_shards
from storage.hits.writer import HitStore
from storage.shards.facts import Corrections, VideoFacts
from storage.shards.manifest import ShardManifest, iter_manifests
from storage.shards.rewriting import rewrite_shard
from storage.upkeep.moving import build_move, move_rows

SHARDS_AT_ONCE = 32  # both the old and the new shards of one batch take room on the disk
Regroup = Callable[[duckdb.DuckDBPyConnection, frozenset[str]], None]  # takes the cameras whose hits were moved


@dataclass(frozen=True, slots=True, kw_only=True)
class OutdatedShard:
    """A shard that contradicts a correction, and the shards that replace it."""

    directory: Path
    manifest: ShardManifest = field(repr=False)
    parts: Mapping[ShardKey, Mapping[str, VideoFacts]] = field(repr=False)  # facts by video id, for each new shard

    def iter_moves(self) -> Iterator[dict[str, object]]:
        """Where the rows of each video go (see ``move_rows``)."""
        known = {video.video_id: VideoFacts.of(self.manifest, video) for video in self.manifest.videos}
        for key, videos in self.parts.items():
            for video_id, new in videos.items():
                yield build_move(video_id, (self.manifest.key.shard_id, known[video_id]), key, new)


def find_outdated(layout: StoreLayout, corrections: Corrections) -> Iterator[OutdatedShard]:
    """Finds the shards that contradict a correction; damaged ones are left to ``verify``."""
    for directory, manifest in iter_manifests(layout) if corrections.facts else ():
        old = {video.video_id: VideoFacts.of(manifest, video) for video in manifest.videos}
        new = {video.video_id: corrections.find(video) or old[video.video_id] for video in manifest.videos}
        if new != old:
            yield OutdatedShard(directory=directory, manifest=manifest, parts=_divide(manifest, new))


def mend_shards(
    layout: StoreLayout, hits: HitStore, corrections: Corrections, regroup: Regroup
) -> tuple[int, tuple[str, ...]]:
    """Rewrites the shards that contradict a correction, with the rows about them.

    The database is open for writing. ``regroup`` makes the incidents of some cameras again, in the transaction that
    moves their hits.

    Returns:
        How many shards were replaced, and the reason for each one that can't be read, which stays as it is.

    Raises:
        StoreError: If the store can't be written; the next call goes on.
    """
    problems: list[str] = []
    batch: list[OutdatedShard] = []
    outdated = list(find_outdated(layout, corrections))
    for shard in outdated:
        try:
            for key, videos in shard.parts.items():
                rewrite_shard(layout, shard.directory, key, videos, videos)
        except ShardError as error:
            problems.append(str(error))
            continue
        batch.append(shard)
        if len(batch) >= SHARDS_AT_ONCE:
            _replace(layout, hits, batch, regroup)
            batch = []
    if batch:
        _replace(layout, hits, batch, regroup)
    return len(outdated) - len(problems), tuple(problems)


def _replace(layout: StoreLayout, hits: HitStore, shards: Sequence[OutdatedShard], regroup: Regroup) -> None:
    """Moves the rows to the new shards and removes the old ones, of which the rows must be gone first."""
    reach("mending.published")
    moves = [move for shard in shards for move in shard.iter_moves()]
    cameras = frozenset(str(move[name]) for move in moves for name in ("old_camera", "camera"))

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        if move_rows(connection, moves):
            regroup(connection, cameras)

    hits.change("correct the hits", work)
    reach("mending.rows_moved")
    remove_shards(layout, [shard.directory for shard in shards])
    reach("mending.shards_removed")


def _divide(manifest: ShardManifest, videos: Mapping[str, VideoFacts]) -> dict[ShardKey, dict[str, VideoFacts]]:
    """Groups videos by camera and local day; the id of a new shard depends on the facts, so it is never an old one."""
    groups: dict[tuple[str, str], dict[str, VideoFacts]] = {}
    for video_id, facts in sorted(videos.items()):
        date = facts.start_utc.astimezone(ZoneInfo(facts.time_zone)).date().isoformat()
        groups.setdefault((facts.camera, date), {})[video_id] = facts
    digest = manifest.key.pipeline_digest
    return {
        ShardKey(pipeline_digest=digest, camera=camera, date=date, shard_id=_make_id(digest, group)): group
        for (camera, date), group in groups.items()
    }


def _make_id(pipeline_digest: str, videos: Mapping[str, VideoFacts]) -> str:
    facts = [[video_id, {**asdict(item), "start_utc": item.start_utc.isoformat()}] for video_id, item in videos.items()]
    return digest_json([facts, pipeline_digest])[:32]

"""What falls under erasure rules: shards, videos, quarantine notes, searches. Reads only."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anomalylmm.errors import ShardError, StoreError
from storage.disk.layout import INDEX_FILE, StoreLayout, encode_name, make_shard_id
from storage.gallery.opening import iter_shard_dirs
from storage.shards.manifest import ShardManifest, VideoEntry, read_manifest
from storage.shards.quarantine import read_quarantine
from storage.shards.reading import read_columns
from storage.shards.writer import verify_shard
from storage.upkeep.erasure_log import DoomedShard, ErasureRule

Reader = Callable[[str, Sequence[object]], list[Any]]  # SQL and its values to rows
EAST = timedelta(hours=14)  # a local day begins at most so long before the same day in UTC
_ORPHANS_SQL = """
SELECT video_id, any_value(video_path), camera, min(start_utc) FROM hits
WHERE shard_id NOT IN (SELECT unnest(?::VARCHAR[])) GROUP BY video_id, camera
UNION ALL
SELECT video_id, '', camera, min(created_utc) FROM judgements
WHERE shard_id NOT IN (SELECT unnest(?::VARCHAR[])) GROUP BY video_id, camera
"""
_LIKES_SQL = "SELECT search_id, filters FROM searches WHERE contains(filters, '\"like\"')"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePlan:
    """What falls under some rules."""

    shards: tuple[DoomedShard, ...]
    video_ids: frozenset[str] = field(repr=False)  # quarantined ones too
    search_ids: tuple[str, ...]
    unknown: tuple[str, ...]  # damaged shards of which it can't be told; relative to the store

    @property
    def is_empty(self) -> bool:
        """Whether nothing falls under them."""
        return not self.shards and not self.video_ids


def plan_erasure(layout: StoreLayout, rules: Sequence[ErasureRule], read: Reader | None) -> ErasurePlan:
    """Finds what falls under any of the rules.

    Args:
        layout: The store.
        rules: What to erase.
        read: Reads the writer's database or the snapshot; None where there is neither.

    Raises:
        StoreError: If the store can't be read.
    """
    manifests, damaged = _read_manifests(layout)
    video_ids = set(_iter_quarantined(layout, rules))
    for manifest in manifests.values():
        video_ids |= {video.video_id for video in manifest.videos if falls(video, manifest.key.camera, rules)}
    if read is not None:
        present = [directory.name for directory in (*manifests, *damaged)]
        video_ids |= set(_iter_orphans(read, present, rules))
    shards = [_doom(layout, directory, manifest, video_ids) for directory, manifest in manifests.items()]
    doomed = [shard for shard in shards if shard.num_videos]
    lost = [path for path in damaged if any(_may_fall(path, rule) for rule in rules)]
    doomed += [DoomedShard(directory=_place(layout, path), rest_id="", num_videos=0, num_crops=0) for path in lost]
    is_named = any(rule.videos for rule in rules)
    return ErasurePlan(
        shards=tuple(doomed),
        video_ids=frozenset(video_ids),
        search_ids=tuple(sorted(_iter_searches(layout, doomed, video_ids, read))) if read else (),
        unknown=tuple(_place(layout, path) for path in damaged if path not in lost) if is_named else (),
    )


def falls(video: VideoEntry, camera: str, rules: Iterable[ErasureRule]) -> bool:
    """Whether a video of a shard falls under any of the rules."""
    return any(
        rule.matches(video_id=video.video_id, path=video.path, camera=camera, start_utc=video.start_utc)
        for rule in rules
    )


def rest_of(manifest: ShardManifest, erased: Iterable[str]) -> str:
    """The id of the shard that keeps the other videos; empty where there is none."""
    kept = sorted({video.video_id for video in manifest.videos} - set(erased))
    return make_shard_id(kept, manifest.key.pipeline_digest) if kept else ""


def _read_manifests(layout: StoreLayout) -> tuple[dict[Path, ShardManifest], list[Path]]:
    """The shards' manifests by directory, and the directories that have no readable one."""
    manifests: dict[Path, ShardManifest] = {}
    damaged: list[Path] = []
    for directory in iter_shard_dirs(layout):
        try:
            manifests[directory] = read_manifest(directory)
        except StoreError:
            damaged.append(directory)
    return manifests, damaged


def _place(layout: StoreLayout, directory: Path) -> str:
    return directory.relative_to(layout.root).as_posix()


def _doom(layout: StoreLayout, directory: Path, manifest: ShardManifest, video_ids: set[str]) -> DoomedShard:
    """Notes what becomes of a shard; a damaged one goes whole, since no gallery uses it and it is indexed again."""
    doomed = {video.video_id for video in manifest.videos} & video_ids
    rest_id, num_crops = rest_of(manifest, doomed), manifest.rows
    if doomed and any(problem.file != INDEX_FILE for problem in verify_shard(directory, deep=False)):
        rest_id = ""
    if doomed and rest_id:
        with suppress(ShardError):
            column = read_columns(directory, ["video_id"]).column("video_id").to_pylist()
            num_crops = sum(video_id in doomed for video_id in column)
    return DoomedShard(
        directory=_place(layout, directory), rest_id=rest_id, num_videos=len(doomed), num_crops=num_crops
    )


def _may_fall(directory: Path, rule: ErasureRule) -> bool:
    """Whether a shard whose manifest can't be read could hold what a rule names, by its camera's and day's folder."""
    camera, date = directory.parts[-3:-1]
    if rule.videos or camera in {encode_name(name) for name in rule.spared_cameras}:
        return False
    if rule.cameras and camera not in {encode_name(name) for name in rule.cameras}:
        return False
    try:
        earliest = datetime.fromisoformat(date).replace(tzinfo=UTC) - EAST
    except ValueError:
        return True
    return rule.before_utc is None or earliest < rule.before_utc


def _iter_quarantined(layout: StoreLayout, rules: Iterable[ErasureRule]) -> Iterator[str]:
    """Videos that could not be read; they began before they were first tried, and more is not known of that."""
    for entry in read_quarantine(layout):
        if any(
            rule.matches(video_id=entry.video_id, path=entry.path, camera=entry.camera, start_utc=entry.first_utc)
            for rule in rules
        ):
            yield entry.video_id


def _iter_orphans(read: Reader, present: list[str], rules: Iterable[ErasureRule]) -> Iterator[str]:
    """Videos that hits and judgements tell of, though their shard is gone from the disk."""
    for video_id, path, camera, moment in read(_ORPHANS_SQL, [present, present]):
        start_utc = moment.replace(tzinfo=UTC)
        if any(rule.matches(video_id=video_id, path=path, camera=camera, start_utc=start_utc) for rule in rules):
            yield video_id


def _iter_searches(
    layout: StoreLayout, shards: Iterable[DoomedShard], video_ids: set[str], read: Reader
) -> Iterator[str]:
    """Searches that asked for more like a crop that goes."""
    likes: dict[str, list[str]] = {}
    for search_id, filters in read(_LIKES_SQL, []):
        with suppress(JSONDecodeError, AttributeError):
            likes.setdefault(str(loads(filters).get("like")), []).append(search_id)
    for shard in shards if likes else ():
        with suppress(ShardError):  # a damaged file names no crops
            crops = read_columns(layout.root / shard.directory, ["crop_id", "video_id"])
            gone = crops.filter(pc.is_in(crops.column("crop_id"), value_set=pa.array(sorted(likes), pa.string())))
            for crop_id, video_id in zip(*(column.to_pylist() for column in gone.columns), strict=True):
                yield from likes[crop_id] if video_id in video_ids else ()

"""Finds what erasure rules match: shards, videos, quarantine entries, searches. It only reads."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError, loads
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from anomalylmm.errors import ShardError, StoreError
from anomalylmm.records import shared_fields
from storage.disk.layout import INDEX_FILE, StoreLayout, encode_name, make_shard_id
from storage.hits.tables import Reader
from storage.shards.manifest import Footage, ShardManifest, iter_shard_dirs, read_manifest
from storage.shards.quarantine import read_quarantine
from storage.shards.reading import read_columns
from storage.shards.writer import verify_shard
from storage.upkeep.erasure_log import AffectedShard, ErasedFile, ErasureRule, matches_any

_MAX_UTC_OFFSET = timedelta(hours=14)  # a local day begins at most this long before the same day in UTC
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
    """What some rules match."""

    shards: tuple[AffectedShard, ...]
    video_ids: frozenset[str] = field(repr=False)  # including quarantined ones
    search_ids: tuple[str, ...]
    unknown: tuple[str, ...]  # damaged shards that may or may not hold the named videos; relative to the store
    files: frozenset[ErasedFile] = field(repr=False, default=frozenset())  # of videos that no lasting rule covers

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return not self.shards and not self.video_ids


def plan_erasure(layout: StoreLayout, rules: Sequence[ErasureRule], read: Reader | None) -> ErasurePlan:
    """Finds what any of the rules matches; ``read`` is for the writer's database or the snapshot, if there is one.

    Raises:
        StoreError: If the store can't be read.
    """
    manifests: dict[Path, ShardManifest] = {}
    damaged: list[Path] = []
    for directory in iter_shard_dirs(layout):
        try:
            manifests[directory] = read_manifest(directory)
        except StoreError:
            damaged.append(directory)
    footage = [item for manifest in manifests.values() for item in manifest.footage]
    footage += _iter_quarantined(layout)
    if read is not None:
        footage += _iter_orphans(read, [directory.name for directory in (*manifests, *damaged)])
    found = [item for item in footage if matches_any(rules, item)]
    lasting = [rule for rule in rules if rule.is_lasting]
    video_ids = {item.video_id for item in found}
    shards = [_inspect(layout, directory, manifest, video_ids) for directory, manifest in manifests.items()]
    affected = [shard for shard in shards if shard.num_videos]
    lost = [path for path in damaged if any(_may_match(path, rule) for rule in rules)]
    affected += [AffectedShard(directory=_place(layout, path), rest_id="", num_videos=0, num_crops=0) for path in lost]
    is_named = any(rule.videos for rule in rules)
    return ErasurePlan(
        shards=tuple(affected),
        video_ids=frozenset(video_ids),
        search_ids=tuple(sorted(_iter_searches(layout, affected, video_ids, read))) if read else (),
        unknown=tuple(_place(layout, path) for path in damaged if path not in lost) if is_named else (),
        files=frozenset(ErasedFile.of(item) for item in found if item.size_bytes and not matches_any(lasting, item)),
    )


def rest_of(manifest: ShardManifest, erased: Iterable[str]) -> str:
    """The id of the shard for the videos to keep; empty if there are none."""
    kept = sorted(manifest.video_ids.difference(erased))
    return make_shard_id(kept, manifest.key.pipeline_digest) if kept else ""


def _place(layout: StoreLayout, directory: Path) -> str:
    return directory.relative_to(layout.root).as_posix()


def _inspect(layout: StoreLayout, directory: Path, manifest: ShardManifest, video_ids: set[str]) -> AffectedShard:
    """Finds what to erase of a shard: a damaged one is erased whole, as no gallery uses it and it is indexed again."""
    erased = manifest.video_ids & video_ids
    rest_id, num_crops = rest_of(manifest, erased), manifest.rows
    if erased and any(problem.file != INDEX_FILE for problem in verify_shard(directory, deep=False)):
        rest_id = ""
    if erased and rest_id:
        with suppress(ShardError):
            column = read_columns(directory, ["video_id"]).column("video_id").to_pylist()
            num_crops = sum(video_id in erased for video_id in column)
    return AffectedShard(
        directory=_place(layout, directory), rest_id=rest_id, num_videos=len(erased), num_crops=num_crops
    )


def _may_match(directory: Path, rule: ErasureRule) -> bool:
    """Whether a shard without a readable manifest could hold what a rule matches, judging by its camera and day."""
    camera, date = directory.parts[-3:-1]
    if rule.videos or camera in {encode_name(name) for name in rule.spared_cameras}:
        return False
    if rule.cameras and camera not in {encode_name(name) for name in rule.cameras}:
        return False
    try:
        earliest = datetime.fromisoformat(date).replace(tzinfo=UTC) - _MAX_UTC_OFFSET
    except ValueError:
        return True
    return rule.before_utc is None or earliest < rule.before_utc


def _iter_quarantined(layout: StoreLayout) -> Iterator[Footage]:
    """Videos in the quarantine, of which we only know that they began before they were first tried."""
    for entry in read_quarantine(layout):
        yield Footage(**shared_fields(Footage, entry), start_utc=entry.first_utc)


def _iter_orphans(read: Reader, present: list[str]) -> Iterator[Footage]:
    """Videos of hits and judgements whose shard is no longer on disk."""
    for video_id, path, camera, moment in read(_ORPHANS_SQL, [present, present]):
        yield Footage(video_id=video_id, path=path, camera=camera, start_utc=moment.replace(tzinfo=UTC))


def _iter_searches(
    layout: StoreLayout, shards: Iterable[AffectedShard], video_ids: set[str], read: Reader
) -> Iterator[str]:
    """Searches for people who look like one in a crop to be erased."""
    likes: dict[str, list[str]] = {}
    for search_id, filters in read(_LIKES_SQL, []):
        with suppress(JSONDecodeError, AttributeError):
            likes.setdefault(str(loads(filters).get("like")), []).append(search_id)
    for shard in shards if likes else ():
        with suppress(ShardError):  # the crops in a damaged file are unknown
            crops = read_columns(layout.root / shard.directory, ["crop_id", "video_id"])
            found = crops.filter(pc.is_in(crops.column("crop_id"), value_set=pa.array(sorted(likes), pa.string())))
            for crop_id, video_id in zip(*(column.to_pylist() for column in found.columns), strict=True):
                yield from likes[crop_id] if video_id in video_ids else ()

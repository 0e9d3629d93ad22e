"""Erasing footage with all that was made of it: shard, crops, vectors, hits, pictures, answers, pages, log entries.

An erasure is noted first and then carried out in steps that can each be repeated, so an interrupted one is finished by
whoever writes next. Index runs may go on beside it; other writers may not.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalylmm.errors import ShardError, StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import fsync_path, guarded, unique_name
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.disk.leftovers import iter_orphans, remove_old_catalogs, remove_path
from storage.gallery.compacting import drop_indexes
from storage.gallery.opening import iter_shard_dirs
from storage.hits.shrinking import COPY_STEM
from storage.hits.writer import HitStore
from storage.shards.manifest import ShardManifest, read_manifest
from storage.shards.quarantine import clear_quarantine, read_quarantine
from storage.shards.schema import table_to_rows
from storage.shards.writer import ShardWriter, verify_shard
from storage.upkeep.erasure_log import (
    DoomedShard,
    ErasedFootage,
    Erasure,
    ErasureRule,
    finish_erasure,
    new_erasure,
    read_unfinished,
    write_erasure,
)
from storage.upkeep.erasure_plan import ErasurePlan, plan_erasure, rest_of
from storage.upkeep.erasure_rows import count_rows, delete_rows, iter_pictures

SETTLE_SECONDS = 1.0  # what lies unlocked in ``temporary`` for so long has no living writer
_ASIDE = ".erased."  # in the names of shards on their way out


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """What was erased, and what could not be looked into."""

    erasures: tuple[Erasure, ...]  # interrupted ones that were finished, then the new one
    unknown: tuple[str, ...] = ()  # damaged shards of which it can't be told whether they hold what was named

    def total(self, name: str) -> int:
        """Sums a count of all erasures."""
        return sum(erasure.counts.get(name, 0) for erasure in self.erasures)


def erase_footage(layout: StoreLayout, rules: Sequence[ErasureRule]) -> ErasureReport:
    """Erases the videos that fall under any of the rules, after finishing what was interrupted.

    Raises:
        StoreBusyError: If a sweep or another erasure runs; nothing has changed then.
        StoreError: If there is no store, or it can't be written; what has begun is finished by the next call.
    """
    require_store(layout)
    layout.create()
    with HitStore(layout) as hits:
        finished = [_carry_out(layout, hits, erasure) for erasure in read_unfinished(layout)]
        plan = plan_erasure(layout, rules, hits.read)
        if not plan.is_empty:
            finished.append(_carry_out(layout, hits, _begin(layout, hits, rules, plan)))
    return ErasureReport(erasures=tuple(finished), unknown=plan.unknown)


def finish_erasures(layout: StoreLayout) -> tuple[Erasure, ...]:
    """Finishes erasures that were interrupted; takes no lock where there is none.

    Raises:
        StoreBusyError: If a sweep or another erasure runs.
        StoreError: If the store can't be written.
    """
    if not read_unfinished(layout):
        return ()
    with HitStore(layout) as hits:
        return tuple(_carry_out(layout, hits, erasure) for erasure in read_unfinished(layout))


def erase_returned(layout: StoreLayout) -> tuple[Erasure, ...]:
    """Erases again what an index run that was killed at the wrong moment has brought back.

    Raises:
        StoreBusyError: If a sweep or another erasure runs, and there is something to erase.
        StoreError: If the store can't be written.
    """
    returned = tuple(video_id for ids in find_returned(layout).values() for video_id in ids)
    return erase_footage(layout, [ErasureRule(videos=returned)]).erasures if returned else ()


def find_returned(layout: StoreLayout) -> dict[Path, tuple[str, ...]]:
    """Erased videos that shards hold all the same, by the shards' directories.

    Raises:
        StoreError: If a note on what was erased can't be read.
    """
    erased = ErasedFootage.read(layout)
    found: dict[Path, tuple[str, ...]] = {}
    for directory in iter_shard_dirs(layout) if erased.video_ids else ():
        with suppress(StoreError):  # a damaged one is named by verify
            ids = _blocked(read_manifest(directory), erased)
            found |= {directory: ids} if ids else {}
    return found


def withdraw_erased(layout: StoreLayout, pipeline_digest: str, manifest: ShardManifest | None) -> ShardManifest | None:
    """Takes back what an index run has just published of videos that were erased while it worked.

    Args:
        layout: The store.
        pipeline_digest: The run's pipeline, whose quarantine is looked through too.
        manifest: The shard just published, if there is one.

    Returns:
        The shard that there is now; None where nothing is left of it.

    An erasure notes first and looks for shards afterwards, an index run publishes first and looks for notes
    afterwards: one of the two sees the other.

    Raises:
        StoreError: If the store can't be read or written.
    """
    erased = ErasedFootage.read(layout)
    _clear_quarantine(layout, erased.video_ids - erased.lifted, pipeline_digest)
    blocked = _blocked(manifest, erased) if manifest else ()
    if manifest is None or not blocked:
        return manifest
    directory = layout.shard_dir(manifest.key)
    rest = rest_of(manifest, blocked)
    kept = _publish_rest(layout, directory, rest, set(blocked)) if rest else None
    _remove_shard(layout, directory)
    drop_indexes(layout, [manifest.key.shard_id])
    remove_old_catalogs(layout)
    return kept


def require_store(layout: StoreLayout) -> None:
    """Refuses a folder that is no store, so that a misspelled path does not pass for an empty one.

    Raises:
        StoreError: There is no store.
    """
    if not layout.shards.is_dir():
        raise StoreError(f"{layout.root} is no store: it has no folder shards. Name the store with --store.")


def _blocked(manifest: ShardManifest, erased: ErasedFootage) -> tuple[str, ...]:
    return tuple(
        video.video_id
        for video in manifest.videos
        if erased.blocks(video_id=video.video_id, camera=manifest.key.camera, start_utc=video.start_utc)
    )


def _begin(layout: StoreLayout, hits: HitStore, rules: Sequence[ErasureRule], plan: ErasurePlan) -> Erasure:
    """Notes the erasure, then looks once more for shards that were published before index runs could see the note."""
    pending = {"shards": plan.shards, "search_ids": plan.search_ids}
    erasure = new_erasure(rules, plan.video_ids, **pending)
    write_erasure(layout, erasure)
    again = plan_erasure(layout, rules, hits.read)
    if again != plan:
        erasure = replace(
            erasure,
            video_ids=tuple(sorted(again.video_ids | plan.video_ids)),
            shards=again.shards,
            search_ids=again.search_ids,
        )
        write_erasure(layout, erasure)
    reach("erasure.noted")
    return erasure


def _carry_out(layout: StoreLayout, hits: HitStore, erasure: Erasure) -> Erasure:
    for shard in erasure.shards:
        _keep_rest(layout, shard, set(erasure.video_ids))
    reach("erasure.rests_published")
    for path in set(iter_pictures(layout, hits.read, erasure)):
        remove_path(path)
    for shard in erasure.shards:
        _remove_shard(layout, layout.root / shard.directory)
    drop_indexes(layout, erasure.shard_ids)
    remove_old_catalogs(layout)
    _clear_quarantine(layout, frozenset(erasure.video_ids))
    reach("erasure.shards_removed")
    hits.change("erase", lambda connection: delete_rows(layout, connection, erasure))
    reach("erasure.rows_committed")
    hits.rewrite_file()
    if layout.snapshot.exists():
        hits.publish()
    reach("erasure.published")
    _remove_leftovers(layout)
    reach("erasure.leftovers_removed")
    finished = finish_erasure(layout, erasure, count_rows(hits.read, erasure.erasure_id))
    reach("erasure.finished")
    return finished


def _clear_quarantine(layout: StoreLayout, video_ids: frozenset[str], pipeline_digest: str | None = None) -> None:
    for entry in read_quarantine(layout, pipeline_digest) if video_ids else ():
        if entry.video_id in video_ids:
            clear_quarantine(layout, entry.pipeline_digest, entry.video_id)


def _keep_rest(layout: StoreLayout, shard: DoomedShard, erased: set[str]) -> None:
    """Publishes a shard of the videos to keep; where the old one can't be read they go too, and are indexed again."""
    directory = layout.root / shard.directory
    if shard.rest_id and directory.is_dir() and verify_shard(directory.with_name(shard.rest_id), deep=False):
        with suppress(ShardError):
            _publish_rest(layout, directory, shard.rest_id, erased)


def _publish_rest(layout: StoreLayout, directory: Path, rest_id: str, erased: set[str]) -> ShardManifest:
    """Writes the rows of the videos to keep to a shard of their own.

    Raises:
        ShardError: If the old one can't be read.
        StoreError: If the new one can't be written.
    """
    manifest = read_manifest(directory)
    key = replace(manifest.key, shard_id=rest_id)
    kept = [video for video in manifest.videos if video.video_id not in erased]
    with ShardWriter(
        layout, key, pipeline=manifest.pipeline, encoder_id=manifest.encoder_id, dimension=manifest.dimension
    ) as writer:
        try:
            with pq.ParquetFile(directory / CROPS_FILE) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    gone = pc.is_in(table.column("video_id"), value_set=pa.array(sorted(erased), pa.string()))
                    writer.append(table_to_rows(table.filter(pc.invert(gone))))
        except (OSError, pa.ArrowException) as error:
            raise ShardError(f"Can't read {directory / CROPS_FILE}: {error}. Run: anomalylmm verify") from error
        return writer.publish(kept, manifest.seconds)


def _remove_shard(layout: StoreLayout, directory: Path) -> None:
    """Takes a shard away at once, then its bytes; readers that have its files open keep them."""
    if not directory.is_dir():
        return
    aside = layout.temporary / unique_name(f"{directory.name}{_ASIDE}")
    with guarded("remove", directory):
        directory.rename(aside)
        fsync_path(directory.parent)
    remove_path(aside)


def _remove_leftovers(layout: StoreLayout) -> None:
    """Removes pages, which show erased pictures, and what killed processes left, which may hold some.

    Both last, since a search that began before the shards were gone may write its page until now.
    """
    for page in layout.reports.glob("*.html"):
        remove_path(page)
    ours = (_ASIDE, COPY_STEM, layout.snapshot.name)  # made by whoever holds the writer's lock: by us
    for path in list(layout.temporary.iterdir()):
        if any(mark in path.name for mark in ours):
            remove_path(path)
    remove_path(layout.working.with_name(f"{layout.working.name}.tmp"))
    waiting = set(iter_orphans(layout, 0.0)) - set(iter_orphans(layout, SETTLE_SECONDS))
    if waiting:
        time.sleep(SETTLE_SECONDS)  # a living writer renames its file within milliseconds
    for path in iter_orphans(layout, SETTLE_SECONDS):
        remove_path(path)

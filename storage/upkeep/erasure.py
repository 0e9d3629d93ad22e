"""Erases footage with all that was made from it: shards, crops, vectors, hits, pictures, answers, pages, log entries.

An erasure is first written to a note and then carried out in steps that can each be repeated. So the next writer can
finish an interrupted one. Index runs may go on at the same time; other writers may not.
"""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from anomalylmm.errors import ShardError
from storage.disk.crashpoints import reach
from storage.disk.layout import StoreLayout, require_store
from storage.disk.leftovers import remove_old_catalogs, remove_path
from storage.disk.orphans import iter_orphans
from storage.gallery.compacting import remove_shards
from storage.hits.database import COPY_STEM
from storage.hits.writer import HitStore
from storage.shards.manifest import ShardManifest, iter_manifests, read_manifest
from storage.shards.quarantine import clear_quarantine, read_quarantine
from storage.shards.rewriting import REMOVED, rewrite_shard
from storage.shards.writer import verify_shard
from storage.upkeep.erasure_log import (
    AffectedShard,
    ErasedFile,
    ErasedFootage,
    Erasure,
    ErasureRule,
    read_unfinished,
    write_erasure,
)
from storage.upkeep.erasure_plan import ErasurePlan, plan_erasure, rest_of
from storage.upkeep.erasure_rows import count_rows, delete_rows, iter_pictures

SETTLE_SECONDS = 1.0  # an unlocked entry of ``temporary`` that old has no running writer


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """What was erased, and which shards could not be read."""

    erasures: tuple[Erasure, ...]  # interrupted ones that were finished, then the new one
    unknown: tuple[str, ...] = ()  # damaged shards that may or may not hold the named videos

    def total(self, name: str) -> int:
        """The sum of one count over all erasures."""
        return sum(erasure.counts.get(name, 0) for erasure in self.erasures)


def erase_footage(layout: StoreLayout, rules: Sequence[ErasureRule]) -> ErasureReport:
    """Finishes interrupted erasures, then erases the videos that any of the rules matches.

    Raises:
        StoreBusyError: If a sweep or another erasure is running; then nothing has changed.
        StoreError: If there is no store, or it can't be written to; the next call finishes what has begun.
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
    """Finishes interrupted erasures; takes no lock if there are none.

    Raises:
        StoreBusyError: If a sweep or another erasure is running.
        StoreError: If the store can't be written to.
    """
    if not read_unfinished(layout):
        return ()
    with HitStore(layout) as hits:
        return tuple(_carry_out(layout, hits, erasure) for erasure in read_unfinished(layout))


def erase_returned(layout: StoreLayout) -> tuple[Erasure, ...]:
    """Erases again what an index run brought back when it was killed at the wrong moment.

    Raises:
        StoreBusyError: If there is something to erase, but a sweep or another erasure is running.
        StoreError: If the store can't be written to.
    """
    returned = tuple(video_id for ids in find_returned(layout).values() for video_id in ids)
    return erase_footage(layout, [ErasureRule(videos=returned)]).erasures if returned else ()


def find_returned(layout: StoreLayout) -> dict[Path, tuple[str, ...]]:
    """Erased videos that are still in shards, by the directory of the shard.

    Raises:
        StoreError: If a note on an erasure can't be read.
    """
    erased = ErasedFootage.read(layout)
    found = {path: _blocked(manifest, erased) for path, manifest in iter_manifests(layout)} if erased.video_ids else {}
    return {path: video_ids for path, video_ids in found.items() if video_ids}


def withdraw_erased(layout: StoreLayout, pipeline_digest: str, manifest: ShardManifest | None) -> ShardManifest | None:
    """Removes videos from a shard just published by an index run if they were erased while it ran.

    They leave the quarantine of the pipeline, too.

    Returns:
        The shard that now exists; None if nothing is left of it.

    Raises:
        StoreError: If the store can't be read or written to.
    """
    erased = ErasedFootage.read(layout)
    _clear_quarantine(layout, erased.video_ids - erased.lifted, pipeline_digest)
    blocked = _blocked(manifest, erased) if manifest else ()
    if manifest is None or not blocked:
        return manifest
    directory = layout.shard_dir(manifest.key)
    rest = rest_of(manifest, blocked)
    kept = publish_rest(layout, directory, rest, set(blocked)) if rest else None
    remove_shards(layout, [directory])
    return kept


def _blocked(manifest: ShardManifest, erased: ErasedFootage) -> tuple[str, ...]:
    return tuple(footage.video_id for footage in manifest.footage if erased.blocks(footage))


def _begin(layout: StoreLayout, hits: HitStore, rules: Sequence[ErasureRule], plan: ErasurePlan) -> Erasure:
    """Writes the note, then plans once more: index runs may have published shards before they could see the note."""
    erasure = Erasure(
        erasure_id=secrets.token_hex(8),
        begun_utc=datetime.now(UTC),
        rule="; ".join(rule.describe() for rule in rules),
        rules=tuple(rule for rule in rules if rule.is_lasting),
        video_ids=tuple(sorted(plan.video_ids)),
        shards=plan.shards,
        search_ids=plan.search_ids,
        files=_list_files(plan),
    )
    write_erasure(layout, erasure)
    again = plan_erasure(layout, rules, hits.read)
    if again != plan:
        video_ids = tuple(sorted(again.video_ids | plan.video_ids))
        files = _list_files(plan, again)
        erasure = replace(erasure, video_ids=video_ids, shards=again.shards, search_ids=again.search_ids, files=files)
        write_erasure(layout, erasure)
    reach("erasure.noted")
    return erasure


def _list_files(*plans: ErasurePlan) -> tuple[ErasedFile, ...]:
    files = frozenset[ErasedFile]().union(*(plan.files for plan in plans))
    return tuple(sorted(files, key=lambda file: (file.path_id, file.size_bytes, file.video_id)))


def _carry_out(layout: StoreLayout, hits: HitStore, erasure: Erasure) -> Erasure:
    for shard in erasure.shards:
        _keep_rest(layout, shard, set(erasure.video_ids))
    reach("erasure.rests_published")
    for path in set(iter_pictures(layout, hits.read, erasure)):
        remove_path(path)
    remove_shards(layout, [layout.root / shard.directory for shard in erasure.shards])
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
    counts = count_rows(hits.read, erasure.erasure_id)
    finished = replace(erasure, search_ids=(), is_finished=True, counts=counts)
    write_erasure(layout, finished)
    reach("erasure.finished")
    return finished


def _clear_quarantine(layout: StoreLayout, video_ids: frozenset[str], pipeline_digest: str | None = None) -> None:
    for entry in read_quarantine(layout, pipeline_digest) if video_ids else ():
        if entry.video_id in video_ids:
            clear_quarantine(layout, entry.pipeline_digest, entry.video_id)


def _keep_rest(layout: StoreLayout, shard: AffectedShard, erased: set[str]) -> None:
    """Publishes a shard with the videos to keep; if the old one can't be read, they are lost and indexed again."""
    directory = layout.root / shard.directory
    if shard.rest_id and directory.is_dir() and verify_shard(directory.with_name(shard.rest_id), deep=False):
        with suppress(ShardError):
            publish_rest(layout, directory, shard.rest_id, erased)


def publish_rest(layout: StoreLayout, directory: Path, rest_id: str, erased: set[str]) -> ShardManifest:
    """Writes the videos to keep to a new shard.

    Raises:
        ShardError: If the old shard can't be read.
        StoreError: If the new one can't be written.
    """
    manifest = read_manifest(directory)
    kept = manifest.video_ids - erased
    return rewrite_shard(layout, directory, replace(manifest.key, shard_id=rest_id), kept, {})


def _remove_leftovers(layout: StoreLayout) -> None:
    """Removes pages, which show erased pictures, and leftovers of killed processes, which may contain some.

    This comes last: a search that began before the shards were removed may have written its page in the meantime.
    """
    for page in layout.reports.glob("*.html"):
        remove_path(page)
    ours = (
        REMOVED,
        COPY_STEM,
        layout.snapshot.name,
    )  # only the holder of the writer's lock makes these, so we may remove them
    for path in list(layout.temporary.iterdir()):
        if any(mark in path.name for mark in ours):
            remove_path(path)
    remove_path(layout.working.with_name(f"{layout.working.name}.tmp"))
    waiting = set(iter_orphans(layout, 0.0)) - set(iter_orphans(layout, SETTLE_SECONDS))
    if waiting:
        time.sleep(SETTLE_SECONDS)  # a running writer renames its file within milliseconds
    for path in iter_orphans(layout, SETTLE_SECONDS):
        remove_path(path)

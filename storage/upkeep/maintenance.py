"""Verifies the store, and removes what crashed processes left behind."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk.layout import INDEX_FILE, StoreLayout
from storage.disk.leftovers import count_bytes, remove_old_catalogs, remove_path
from storage.disk.locks import writer_lock
from storage.disk.orphans import iter_old_claims, iter_orphans
from storage.gallery.compacting import find_index_problems, find_useless_indexes, remove_index, remove_shards
from storage.gallery.opening import InvalidShard, open_shards
from storage.hits.analyst import open_snapshot
from storage.hits.runs import drop_old_runs, find_damaged_runs
from storage.shards.facts import read_corrections
from storage.shards.manifest import iter_shard_dirs, read_manifest
from storage.shards.writer import inspect_shard, repair_index
from storage.upkeep.erasure import erase_returned, find_returned, finish_erasures
from storage.upkeep.erasure_log import Erasure, read_unfinished
from storage.upkeep.mending import find_outdated

GRACE_SECONDS = 3600.0  # anything younger may belong to a process that has just started


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was checked, and what is wrong."""

    num_shards: int
    num_crops: int
    invalid: tuple[InvalidShard, ...]
    orphans: tuple[Path, ...]  # in ``temporary``, of processes that have ended
    rebuilt: tuple[Path, ...]  # indexes that were rebuilt
    messages: tuple[str, ...]  # about the databases, indexes, erasures and corrections

    @property
    def problems(self) -> tuple[str, ...]:
        """What is lost or damaged, one line each."""
        shards = (f"{shard.directory}: {problem}" for shard in self.invalid for problem in shard.problems)
        return (*shards, *self.messages)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost or damaged; orphans only take space."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What was removed, and what was left because its process may just have started."""

    removed: tuple[Path, ...]
    num_bytes: int
    left: tuple[Path, ...] = ()  # touched less than the grace period ago
    num_bytes_left: int = 0
    grace_seconds: float = GRACE_SECONDS
    erasures: tuple[Erasure, ...] = ()  # interrupted ones that were finished


def verify_store(layout: StoreLayout, *, deep: bool, repair: bool = False) -> VerifyReport:
    """Checks every shard, the indexes, databases, erasures and corrections; lists what crashed processes left behind.

    With ``deep``, every byte is read and compared with the digests. With ``repair``, missing or damaged indexes are
    rebuilt from the Parquet files.

    Raises:
        StoreError: If an index can't be repaired.
    """
    invalid, rebuilt, num_shards, num_crops = [], [], 0, 0
    for directory in iter_shard_dirs(layout):
        num_shards += 1
        manifest, problems = inspect_shard(directory, deep=deep)
        if repair and problems and all(problem.file == INDEX_FILE for problem in problems):
            repair_index(layout, directory)
            rebuilt.append(directory / INDEX_FILE)
            manifest, problems = inspect_shard(directory, deep=deep)
        if manifest and not problems:
            num_crops += manifest.rows
        else:
            invalid.append(InvalidShard(directory=directory, problems=tuple(problems)))
    return VerifyReport(
        num_shards=num_shards,
        num_crops=num_crops,
        invalid=tuple(invalid),
        orphans=tuple(iter_orphans(layout, 0.0)),
        rebuilt=tuple(rebuilt),
        messages=(
            *_iter_erasure_problems(layout),
            *_iter_correction_problems(layout),
            *_iter_database_problems(layout),
            *find_index_problems(layout, deep=deep),
            *(f"{path}: this record of a run can't be read. Run: anomalylmm gc" for path in find_damaged_runs(layout)),
        ),
    )


def collect_garbage(layout: StoreLayout, *, grace_seconds: float = GRACE_SECONDS) -> GcReport:
    """Finishes interrupted erasures, and removes leftovers of dead writers, useless indexes and records of old runs.

    A damaged shard is removed if all its videos were indexed again. What was touched less than ``grace_seconds`` ago
    stays.

    Raises:
        StoreBusyError: If there is an erasure to finish, but another process is writing.
        StoreError: If something can't be removed.
    """
    erasures = (*finish_erasures(layout), *erase_returned(layout))
    replaced = list(_iter_replaced(layout))
    removed, num_bytes = [*replaced], sum(map(count_bytes, replaced))
    remove_shards(layout, replaced)
    removed += drop_old_runs(layout)
    removed += remove_old_catalogs(layout)
    for directory in find_useless_indexes(layout):
        num_bytes += count_bytes(directory)
        remove_index(layout, directory)
        removed.append(directory)
    for path in (*iter_orphans(layout, grace_seconds), *iter_old_claims(layout), *find_damaged_runs(layout)):
        num_bytes += count_bytes(path)
        remove_path(path)
        removed.append(path)
    left = tuple(iter_orphans(layout, 0.0))
    return GcReport(
        removed=tuple(removed),
        num_bytes=num_bytes,
        left=left,
        num_bytes_left=sum(map(count_bytes, left)),
        grace_seconds=grace_seconds,
        erasures=erasures,
    )


def _iter_replaced(layout: StoreLayout) -> Iterator[Path]:
    """Damaged shards of which nothing is missing, because valid ones of the same pipeline hold their videos."""
    for folder in sorted(layout.shards.glob("*")):
        valid, invalid = open_shards(layout, folder.name)
        held = frozenset[str]().union(*(shard.manifest.video_ids for shard in valid))
        for shard in invalid:
            with suppress(StoreError):  # of a damaged manifest it is not known what it held
                if held >= read_manifest(shard.directory).video_ids:
                    yield shard.directory


def _iter_erasure_problems(layout: StoreLayout) -> Iterator[str]:
    try:
        for erasure in read_unfinished(layout):
            begun = erasure.begun_utc.isoformat(timespec="seconds")
            yield f"The erasure begun {begun} ({erasure.rule}) is unfinished. Run: anomalylmm erase"
        for directory, video_ids in find_returned(layout).items():
            yield f"{directory} still holds {len(video_ids)} erased videos. Run: anomalylmm gc"
    except StoreError as error:
        yield str(error)


def _iter_correction_problems(layout: StoreLayout) -> Iterator[str]:
    try:
        num_shards = sum(1 for _ in find_outdated(layout, read_corrections(layout)))
    except StoreError as error:
        yield str(error)
    else:
        if num_shards:
            yield f"{num_shards} shards have a camera or time that was corrected meanwhile. Run: anomalylmm gc"


def _iter_database_problems(layout: StoreLayout) -> Iterator[str]:
    if layout.snapshot.exists():
        try:
            with open_snapshot(layout) as snapshot:
                snapshot.run("SELECT count(*) FROM hits")
        except StoreError as error:
            yield str(error)
    if layout.working.exists() and os.access(layout.root, os.W_OK):  # who may not write can't take the lock
        try:
            with writer_lock(layout.hits_lock), duckdb.connect(str(layout.working), read_only=True) as connection:
                connection.execute("SELECT count(*) FROM hits").fetchall()
        except StoreBusyError:
            return  # a writer has it open, so it can be opened
        except duckdb.Error as error:
            yield f"Can't open {layout.working}: {error}. Move it away; the snapshot stays readable."

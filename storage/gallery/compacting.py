"""Which shards are joined in compacted indexes, and which indexes are removed: useless ones, and those of erased crops.

A process that removes a shard looks for indexes of it afterwards, and a process that builds an index looks for its
shards after publishing it: one of the two sees the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalylmm.errors import ShardError, StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, digest_json, fsync_path, guarded, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.leftovers import count_bytes, locked_directory, move_away, remove_path
from storage.disk.locks import waiting_lock, writer_lock
from storage.gallery.gallery import Gallery
from storage.gallery.index_files import (
    CENTROIDS,
    CompactedIndex,
    CompactedShard,
    iter_index_dirs,
    open_indexes,
    read_index_manifest,
    write_index_files,
)
from storage.gallery.opening import GalleryShard, open_shards
from storage.shards.rewriting import REMOVED

MAX_ROWS = 1 << 20  # of one index, which a search holds in memory: 108 MB for 206 dimensions
MIN_ROWS = 1000  # fewer are searched as quickly in their shards
FULL_SHARE = 0.5  # an index as full as this is not built again for the shards that come after it
_REMEDY = " Nothing is lost with it. Run: anomalylmm compact"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIndex:
    """An index that was built."""

    directory: Path
    num_shards: int
    num_crops: int
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionReport:
    """What was built, what was removed, and what there is now."""

    built: tuple[BuiltIndex, ...]
    removed: tuple[Path, ...]
    num_indexes: int
    num_loose: int  # shards in no index, which are searched one by one

    def describe(self) -> str:
        """In one sentence."""
        num_shards, num_crops = sum(made.num_shards for made in self.built), sum(made.num_crops for made in self.built)
        num_bytes = sum(made.num_bytes for made in self.built)
        return (
            f"made {len(self.built)} indexes from {num_shards} shards ({num_crops} crops, {num_bytes / 1e6:.1f} MB), "
            f"removed {len(self.removed)}; now there are {self.num_indexes}; {self.num_loose} shards are not compacted"
        )


def compact_store(layout: StoreLayout, *, max_rows: int = MAX_ROWS, min_rows: int = MIN_ROWS) -> CompactionReport:
    """Compacts the shards of each pipeline by itself; what is compacted already stays.

    An index gets at most ``max_rows``. Shards with fewer than ``min_rows`` together stay as they are.

    Raises:
        StoreBusyError: If another process compacts.
        StoreError: If the store can't be read or written; searches go on as before then.
    """
    layout.create()
    built: list[BuiltIndex] = []
    num_indexes = num_loose = 0
    with writer_lock(layout.indexes_lock):
        removed = _remove_useless(layout)
        for digest in sorted(path.name for path in layout.shards.iterdir() if path.is_dir()):
            groups = _plan_indexes(Gallery.open(layout, digest), max_rows, max(min_rows, CENTROIDS))
            built += [made for made in (_make(layout, group) for group in groups) if made]
            removed += _remove_useless(layout)
            gallery = Gallery.open(layout, digest)
            num_indexes += len(gallery.indexes)
            num_loose += len(gallery.shards) - sum(len(index.manifest.shards) for index in gallery.indexes)
    return CompactionReport(built=tuple(built), removed=tuple(removed), num_indexes=num_indexes, num_loose=num_loose)


def _plan_indexes(gallery: Gallery, max_rows: int, min_rows: int) -> list[list[GalleryShard]]:
    """The groups of shards to build an index of: neighbors by camera and date, so that a scope takes whole indexes."""
    there = {index.manifest.shard_ids: index.manifest.rows for index in gallery.indexes}
    settled = frozenset[str]().union(*(shard_ids for shard_ids, rows in there.items() if rows >= FULL_SHARE * max_rows))
    groups: list[list[GalleryShard]] = []
    room = 0
    for shard in gallery.shards:
        rows = shard.manifest.rows
        if rows and shard.shard_id not in settled:
            if rows > room:
                groups.append([])
                room = max_rows
            groups[-1].append(shard)
            room -= rows
    worth = [group for group in groups if len(group) > 1 and sum(shard.manifest.rows for shard in group) >= min_rows]
    return [group for group in worth if frozenset(shard.shard_id for shard in group) not in there]


def remove_shards(layout: StoreLayout, directories: Sequence[Path]) -> None:
    """Removes shards, each in one step, and then the indexes that hold rows of them (see ``drop_indexes``).

    Raises:
        StoreError: If one can't be removed.
    """
    for directory in directories:
        aside = move_away(layout, directory, REMOVED)
        if aside:
            remove_path(aside)
    drop_indexes(layout, [directory.name for directory in directories])


def drop_indexes(layout: StoreLayout, shard_ids: Iterable[str]) -> tuple[Path, ...]:
    """Removes the indexes that hold rows of these shards, and those of which it can't be told.

    Waits for a compaction that is at work, which gives up at the first shard that is gone: afterwards no such row is
    left in what it builds either.

    Raises:
        StoreError: If one can't be removed.
    """
    doomed = set(shard_ids)
    if not doomed:
        return ()
    with waiting_lock(layout.indexes_lock):
        gone = tuple(directory for directory in iter_index_dirs(layout) if _may_hold(directory, doomed))
        for directory in gone:
            remove_index(layout, directory)
    return gone


def find_useless_indexes(layout: StoreLayout) -> tuple[Path, ...]:
    """The indexes that are damaged, that name shards which are gone, or whose shards others hold too."""
    directories = tuple(iter_index_dirs(layout))
    digests = {directory.parent.name for directory in directories}
    usable = (open_indexes(layout, digest, open_shards(layout, digest)[0]) for digest in digests)
    used = {index.directory for indexes in usable for index in indexes}
    return tuple(directory for directory in directories if directory not in used)


def find_index_problems(layout: StoreLayout, *, deep: bool) -> Iterator[str]:
    """What is wrong with the indexes, a line each; that another holds the same shards is not."""
    directories = tuple(iter_index_dirs(layout))
    there = {digest: _name_shards(layout, digest) for digest in {path.parent.name for path in directories}}
    for directory in directories:
        try:
            index = CompactedIndex(directory, deep=deep)
        except StoreError as error:
            yield f"{error}{_REMEDY}"
        else:
            lost = sorted(shard.shard_id for shard in {*index.manifest.shards} - there[directory.parent.name])
            if lost:
                yield f"{directory} covers {len(lost)} shards that are gone or changed, such as {lost[0]}.{_REMEDY}"


def remove_index(layout: StoreLayout, directory: Path) -> None:
    """Takes an index away at once, then its bytes; searches that have it open keep them.

    Raises:
        StoreError: If it can't be removed.
    """
    aside = move_away(layout, directory, ".index")
    if aside:
        reach("compaction.moved_aside")
        remove_path(aside)


def _may_hold(directory: Path, shard_ids: set[str]) -> bool:
    try:
        return not shard_ids.isdisjoint(read_index_manifest(directory).shard_ids)
    except ShardError:
        return True


def _remove_useless(layout: StoreLayout) -> list[Path]:
    useless = find_useless_indexes(layout)
    for directory in useless:
        remove_index(layout, directory)
    return list(useless)


def _make(layout: StoreLayout, shards: Sequence[GalleryShard]) -> BuiltIndex | None:
    """Builds and publishes one index; None where a shard went away meanwhile."""
    digest = shards[0].manifest.key.pipeline_digest
    name = digest_json([CompactedShard.of(shard).crops_sha256 for shard in shards])[:32]
    final, building = layout.indexes_dir(digest) / name, layout.temporary / unique_name(f"{name}.index")
    try:
        with locked_directory(building):
            manifest = write_index_files(building, shards)
            if final.exists():
                remove_index(layout, final)  # a useless one that has come back, or it would not be made anew
            with guarded("publish", final):
                create_directories(final.parent)
                building.rename(final)
                fsync_path(final.parent)
    except ShardError:
        if all(shard.directory.exists() for shard in shards):
            raise
        return None  # an erasure has taken one; the next compaction makes an index of the others
    reach("compaction.renamed")
    if not _name_shards(layout, digest).issuperset(manifest.shards):
        remove_index(layout, final)
        return None
    return BuiltIndex(directory=final, num_shards=len(shards), num_crops=manifest.rows, num_bytes=count_bytes(final))


def _name_shards(layout: StoreLayout, digest: str) -> frozenset[CompactedShard]:
    return frozenset(CompactedShard.of(shard) for shard in open_shards(layout, digest)[0])

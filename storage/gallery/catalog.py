"""The catalog of a pipeline: what was read from its shards' manifests, so that opening a gallery need not read them.

It is derived. An entry is of use while the manifest's times, size and inode are those of the moment when it was read;
what is said of any other shard comes from its manifest, and deleting a catalog costs the time of reading them again.
"""

import hashlib
import json
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, fsync_path, guarded, replace_file
from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.disk.leftovers import remove_path
from storage.disk.locks import waiting_lock, writer_lock
from storage.gallery.facts import GalleryShard, ShardFacts
from storage.shards.manifest import ShardManifest
from storage.shards.schema import SCHEMA_VERSION

FORMAT_VERSION = 1  # to be raised with this format, and with what makes a manifest or a shard valid
SETTLE_SECONDS = 2.0  # a file changed again so soon can have the same times as before: file systems' clocks are coarse
SUFFIX = ".catalog"
_MAX_HEADER_BYTES = 4096
Stamp = tuple[int, ...]  # of a manifest: modified, changed (both in ns), bytes, inode


class CatalogEntry(NamedTuple):  # see ShardFacts
    """One shard as it was when its manifest was read."""

    place: str  # camera, date and shard id, as directories of the pipeline's own
    stamp: Stamp
    facts: ShardFacts
    start: int  # of the compressed manifest among those of the file
    stop: int  # 0 for one that is not in the file yet


class Catalog:
    """A catalog opened by memory map; one that is missing, damaged or of another version has no entries.

    The compressed manifests are not digested with the rest, since few are ever asked for and each knows its own digest.
    """

    def __init__(self, mapped: mmap.mmap | bytes = b"", start: int = 0, entries: Iterable[CatalogEntry] = ()) -> None:
        """Remembers what lies where."""
        self._mapped, self._start = mapped, start  # of the manifests
        self.entries = {entry.place: entry for entry in entries}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Reads the entries; the manifests are left where they are."""
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            start = mapped.find(b"\n", 0, _MAX_HEADER_BYTES) + 1
            header = json.loads(mapped[:start])
            stop = start + header["num_bytes"]
            if (
                len(mapped) != stop + header["manifest_bytes"]
                or {**header, **_describe(path.stem, mapped[start:stop])} != header
            ):
                return cls()
            return cls(mapped, stop, _split(json.loads(mapped[start:stop])))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return cls()

    def shard(self, top: str, entry: CatalogEntry) -> GalleryShard:
        """The shard of an entry."""
        return GalleryShard(f"{top}/{entry.place}", entry.facts, self._load)

    def piece(self, entry: CatalogEntry) -> bytes:
        """The compressed text of a manifest."""
        return self._mapped[self._start + entry.start : self._start + entry.stop]

    def _load(self, directory: str) -> ShardManifest | None:
        entry = self.entries["/".join(directory.rsplit("/", 3)[1:])]
        try:
            manifest = ShardManifest.from_json(zlib.decompress(self.piece(entry)).decode())
        except (zlib.error, UnicodeDecodeError, StoreError):
            return None
        return manifest if ShardFacts.of(manifest) == entry.facts else None


def catalog_path(layout: StoreLayout, pipeline_digest: str) -> Path:
    """Where the catalog of a pipeline lies."""
    return layout.catalogs / f"{layout.pipeline_dir(pipeline_digest).name}{SUFFIX}"


def read_stamp(directory: str) -> Stamp | None:
    """What changes with the manifest of a shard; None where there is none."""
    try:
        state = os.stat(f"{directory}/{MANIFEST_FILE}")  # noqa: PTH116 - a Path for each of thousands takes as long
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino


def is_current(top: str, entry: CatalogEntry) -> bool:
    """Whether a shard is as it was when its entry was made, by its manifest's state and the size of its crops."""
    directory = f"{top}/{entry.place}"
    try:
        if os.stat(f"{directory}/{CROPS_FILE}").st_size != entry.facts.crops_bytes:  # noqa: PTH116
            return False
    except OSError:
        return False
    return read_stamp(directory) == entry.stamp


def may_keep(stamp: Stamp, shard: GalleryShard, began_ns: int) -> bool:
    """Whether any later change of a shard would be seen, and a catalog can tell all that is needed of it.

    Args:
        stamp: Of its manifest, taken before it was read.
        shard: What was read.
        began_ns: A moment before that, since 1970.
    """
    if stamp[1] > began_ns - SETTLE_SECONDS * 1e9:
        return False
    return set(shard.manifest.files) == {CROPS_FILE, INDEX_FILE} and shard.facts.video_ids.split() == shard.video_ids


def keep_catalog(layout: StoreLayout, path: Path, old: Catalog, entries: Sequence[CatalogEntry]) -> None:
    """Replaces a catalog; nothing happens where another process does, or where the store can't be written.

    Without fsync, since what a failing machine leaves of it is seen by its digest.
    """
    with suppress(StoreError), guarded("write", path), writer_lock(_lock_path(layout)):
        _rewrite(layout, path, old, entries, durable=False)


def prune_catalogs(layout: StoreLayout) -> tuple[Path, ...]:
    """Takes out of all catalogs what is not on the disk any more, and removes those of which nothing is left.

    Who writes a catalog looks, while it holds the lock, for the shards that it names. So who removes a shard and waits
    for the lock afterwards sees every catalog that names it, also one whose writer was killed.

    Returns:
        The catalogs that are gone.

    Raises:
        StoreError: If one can't be removed.
    """
    gone = []
    with waiting_lock(_lock_path(layout)), guarded("clean", layout.catalogs):
        for building in layout.temporary.glob(f"*{SUFFIX}.*"):
            if building.is_file():  # of a killed process, since nobody else has the lock
                remove_path(building)
        for path in sorted(layout.catalogs.glob("*")):
            old, top = Catalog.open(path), str(layout.shards / path.stem)
            current = [entry for entry in old.entries.values() if is_current(top, entry)]
            if current and len(current) == len(old.entries):
                continue
            with suppress(StoreError):  # a full disk: then without it
                _rewrite(layout, path, old, current, durable=True)
            if not current or Catalog.open(path).entries.keys() != {entry.place for entry in current}:
                remove_path(path)
                fsync_path(path.parent)
                gone.append(path)
    return tuple(gone)


def _rewrite(layout: StoreLayout, path: Path, old: Catalog, entries: Iterable[CatalogEntry], *, durable: bool) -> None:
    """Writes the entries whose shards are there as they were; the lock must be held."""
    top = str(layout.shards / path.stem)
    rows, pieces, position = [], [], 0
    for entry in entries:
        if is_current(top, entry):
            with suppress(OSError):
                pieces.append(old.piece(entry) if entry.stop else _compress(Path(top, entry.place)))
                start, position = position, position + len(pieces[-1])
                rows.append(entry._replace(start=start, stop=position))
    if not rows:
        remove_path(path)
        return
    body = json.dumps(_join(rows), separators=(",", ":")).encode()
    header = json.dumps({**_describe(path.stem, body), "manifest_bytes": position}).encode()
    create_directories(path.parent)
    replace_file(path, b"".join((header, b"\n", body, *pieces)), scratch=layout.temporary, durable=durable)


def _join(rows: Iterable[CatalogEntry]) -> list[Any]:
    """Entries as columns, since thousands of lists keep the garbage collector busy."""
    places, stamps, facts, starts, stops = zip(*rows, strict=True)
    return [places, [*zip(*stamps, strict=True)], [*zip(*facts, strict=True)], starts, stops]


def _split(columns: list[Any]) -> Iterator[CatalogEntry]:
    places, stamps, facts, starts, stops = columns
    shards = map(ShardFacts._make, zip(*facts, strict=True))
    return map(CatalogEntry, places, zip(*stamps, strict=True), shards, starts, stops)


def _compress(directory: Path) -> bytes:
    return zlib.compress((directory / MANIFEST_FILE).read_bytes(), 1)


def _describe(pipeline: str, body: bytes) -> dict[str, object]:
    """What a header must say, beside the size of what comes after the entries."""
    return {
        "format_version": FORMAT_VERSION,
        "schema_version": SCHEMA_VERSION,
        "pipeline": pipeline,
        "num_bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def _lock_path(layout: StoreLayout) -> Path:
    return layout.locks / "catalogs.lock"

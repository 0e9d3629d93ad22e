"""Compacted indexes: the vectors of many shards of one pipeline in one file of codes, with what a search tells of rows.

They are derived: a search gives the same with and without them, and deleting one loses nothing. An index is of use
while each of its shards is there as it was.
"""

import json
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalylmm.errors import ShardError, StoreError
from storage.disk.files import digest_json, guarded, sha256_file
from storage.disk.layout import StoreLayout, encode_name
from storage.gallery.facts import ShardFacts
from storage.gallery.quantizing import Codes, Scale
from storage.shards.manifest import FileEntry

CODES_FILE = "codes.u8"  # (N, D) bytes, rows of one shard after those of another
ROWS_FILE = "rows.arrow"  # ROW_COLUMNS, one record batch a shard
MANIFEST_FILE = "manifest.json"  # written last
ROW_COLUMNS = ("crop_id", "tracklet_id", "video_id", "camera", "pts_seconds", "wall_clock_utc")
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedShard:
    """A shard whose rows an index holds."""

    shard_id: str
    rows: int
    crops_sha256: str

    @classmethod
    def of(cls, facts: ShardFacts) -> "CompactedShard":
        """Names a shard as it is now."""
        return cls(shard_id=facts.shard_id, rows=facts.rows, crops_sha256=facts.crops_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexManifest:
    """What made a compacted index."""

    pipeline_digest: str
    encoder_id: str
    dimension: int
    rows: int
    shards: tuple[CompactedShard, ...] = field(repr=False)  # in the order of their rows
    low: tuple[float, ...] = field(repr=False)  # of the scale
    step: tuple[float, ...] = field(repr=False)
    largest_error: float  # distance of a vector from what its codes stand for
    files: Mapping[str, FileEntry] = field(repr=False)
    created_utc: datetime
    format_version: int = FORMAT_VERSION

    @property
    def scale(self) -> Scale:
        """What the codes stand for."""
        return Scale(low=np.array(self.low, np.float32), step=np.array(self.step, np.float32))

    @property
    def shard_ids(self) -> frozenset[str]:
        """Its shards."""
        return frozenset(shard.shard_id for shard in self.shards)

    def to_json(self) -> str:
        """Text of ``manifest.json``, with a checksum of itself."""
        content = {**asdict(self), "created_utc": self.created_utc.isoformat()}
        content = json.loads(json.dumps(content))
        return json.dumps({**content, "checksum": digest_json(content)}, indent=1) + "\n"


class CompactedIndex:
    """An index opened by memory map; opening reads no vector, and ``release`` gives back what a search has mapped."""

    def __init__(self, directory: Path, manifest: IndexManifest) -> None:
        """Maps its files.

        Raises:
            ShardError: If one can't be opened, or has not the size it was written with.
        """
        self.directory, self.manifest = directory, manifest
        self._codes, self._rows = (_map(directory / name, manifest.files[name]) for name in (CODES_FILE, ROWS_FILE))
        try:
            self._batches = pa.ipc.open_file(pa.py_buffer(self._rows))
        except pa.ArrowException as error:
            raise _damaged(directory / ROWS_FILE, str(error)) from error
        starts = np.cumsum([0, *(shard.rows for shard in manifest.shards)])
        self.starts = {shard.shard_id: int(start) for shard, start in zip(manifest.shards, starts, strict=False)}
        self._numbers = {shard.shard_id: number for number, shard in enumerate(manifest.shards)}

    @property
    def codes(self) -> Codes:
        """The codes, (N, D), mapped."""
        return np.frombuffer(self._codes, np.uint8).reshape(self.manifest.rows, self.manifest.dimension)

    def read_table(self, shard_id: str) -> pa.Table:
        """``ROW_COLUMNS`` of one of its shards, mapped.

        Raises:
            ShardError: If they can't be read.
        """
        try:
            return pa.Table.from_batches([self._batches.get_batch(self._numbers[shard_id])])
        except pa.ArrowException as error:
            raise _damaged(self.directory / ROWS_FILE, f"{error}. Run: anomalylmm gc") from error

    def release(self) -> None:
        """Takes mapped pages out of this process's memory; they come back when they are looked at."""
        for mapped in (self._codes, self._rows):
            mapped.madvise(mmap.MADV_DONTNEED)


def indexes_dir(layout: StoreLayout, pipeline_digest: str) -> Path:
    """Where the compacted indexes of a pipeline lie."""
    return layout.root / "indexes" / encode_name(pipeline_digest)


def iter_index_dirs(layout: StoreLayout) -> Iterator[Path]:
    """The directories of all compacted indexes, whole or not, in order."""
    yield from sorted(path for path in (layout.root / "indexes").glob("*/*") if path.is_dir())


def read_index_manifest(directory: Path) -> IndexManifest:
    """Reads what an index says of itself.

    Raises:
        ShardError: If it has no manifest, or a damaged one, or one of another version.
    """
    path = directory / MANIFEST_FILE
    try:
        with guarded("read", path):
            content = json.loads(path.read_text(encoding="utf-8"))
        checksum = content.pop("checksum")
        if content["format_version"] != FORMAT_VERSION or checksum != digest_json(content):
            raise ValueError("it was changed, or another version wrote it")
        return IndexManifest(**_revive(content))
    except (StoreError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def open_indexes(layout: StoreLayout, pipeline_digest: str, shards: Iterable[ShardFacts]) -> tuple[CompactedIndex, ...]:
    """Opens the indexes of a pipeline that are of use, largest first, no shard twice; others are passed over.

    Args:
        layout: The store.
        pipeline_digest: The pipeline.
        shards: Its valid shards.
    """
    found = []
    directories = sorted(path for path in indexes_dir(layout, pipeline_digest).glob("*") if path.is_dir())
    there = name_shards(shards if directories else ())
    for directory in directories:
        try:
            manifest = read_index_manifest(directory)
            if there.issuperset(manifest.shards):
                found.append(CompactedIndex(directory, manifest))
        except StoreError:
            continue  # verify names it
    chosen: list[CompactedIndex] = []
    taken: set[str] = set()
    for index in sorted(found, key=lambda index: (-index.manifest.rows, index.directory.name)):
        if taken.isdisjoint(index.manifest.shard_ids):
            taken |= index.manifest.shard_ids
            chosen.append(index)
    return tuple(chosen)


def name_shards(shards: Iterable[ShardFacts]) -> frozenset[CompactedShard]:
    """Names shards as they are now; an index is of use where all of its own are among them."""
    return frozenset(CompactedShard.of(facts) for facts in shards)


def verify_index(directory: Path, *, deep: bool) -> str:
    """What is wrong with the files of an index; empty where nothing is."""
    try:
        manifest = read_index_manifest(directory)
        CompactedIndex(directory, manifest)
        for name, entry in manifest.files.items() if deep else ():
            with guarded("read", directory / name):
                if sha256_file(directory / name) != entry.sha256:
                    raise _damaged(directory / name, "its content changed since it was written (sha256)")
    except StoreError as error:
        return str(error)
    return ""


def _map(path: Path, entry: FileEntry) -> mmap.mmap:
    with guarded("open", path), path.open("rb") as file:
        size = path.stat().st_size
        if size != entry.num_bytes or size == 0:
            raise _damaged(path, f"{size} bytes, but {entry.num_bytes} were written")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _revive(content: dict[str, Any]) -> dict[str, Any]:
    return {
        **content,
        "shards": tuple(CompactedShard(**shard) for shard in content["shards"]),
        "low": tuple(content["low"]),
        "step": tuple(content["step"]),
        "files": {name: FileEntry(**content["files"][name]) for name in (CODES_FILE, ROWS_FILE)},
        "created_utc": datetime.fromisoformat(content["created_utc"]),
    }


def _damaged(path: Path, reason: str) -> ShardError:
    return ShardError(f"{path} is of no use: {reason}.")

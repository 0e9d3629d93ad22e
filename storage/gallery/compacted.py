"""Compacted indexes: the vectors of many shards of one pipeline in one FAISS index with four bits a dimension.

They are derived: deleting one loses nothing, and searches without it are exact and slower. An index is used while each
of its shards is there as it was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import pyarrow as pa
from pydantic import TypeAdapter

from anomalylmm.errors import ShardError, StoreError
from anomalylmm.records import Floats
from storage.disk.files import digest_json, guarded
from storage.disk.layout import StoreLayout, encode_name
from storage.disk.notes import Utc, revive
from storage.gallery.shard import GalleryShard
from storage.shards.manifest import FileEntry

VECTORS_FILE = "index.faiss"  # rows of one shard after those of another
ROWS_FILE = "rows.arrow"  # ROW_COLUMNS, one record batch a shard
MANIFEST_FILE = "manifest.json"  # written last
ROW_COLUMNS = ("crop_id", "tracklet_id", "video_id")
FORMAT_VERSION = 2  # 1 held codes of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedShard:
    """A shard whose rows an index holds."""

    shard_id: str
    rows: int
    crops_sha256: str

    @classmethod
    def of(cls, shard: GalleryShard) -> "CompactedShard":
        """Names a shard as it is now."""
        return cls(shard_id=shard.shard_id, rows=shard.rows, crops_sha256=shard.crops_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexManifest:
    """What made a compacted index."""

    pipeline_digest: str
    encoder_id: str
    dimension: int
    rows: int
    shards: tuple[CompactedShard, ...] = field(repr=False)  # in the order of their rows
    files: Mapping[str, FileEntry] = field(repr=False)
    created_utc: Utc
    format_version: int = FORMAT_VERSION

    @property
    def shard_ids(self) -> frozenset[str]:
        """Its shards."""
        return frozenset(shard.shard_id for shard in self.shards)


_MANIFEST = TypeAdapter(IndexManifest)


class CompactedIndex:
    """A compacted index on disk; its vectors are in memory only while they are searched."""

    def __init__(self, directory: Path, manifest: IndexManifest, *, deep: bool = False) -> None:
        """Checks the sizes of its files, and with ``deep`` every byte.

        Raises:
            ShardError: If one is missing, or is not as it was written.
        """
        self.directory, self.manifest = directory, manifest
        for name, entry in manifest.files.items():
            problem = entry.find_problem(directory / name, deep=deep)
            if problem:
                raise _damaged(directory / name, problem)
        self._numbers = {shard.shard_id: number for number, shard in enumerate(manifest.shards)}

    def members(self, shards: Sequence[GalleryShard]) -> list[GalleryShard]:
        """Those of the shards whose rows it holds."""
        return [shard for shard in shards if shard.shard_id in self._numbers]

    def search(self, queries: Floats, k: int) -> tuple[Any, Any]:
        """Approximate scores and positions in the index of the best rows, both (Q, K) with K = min(k, rows).

        Raises:
            ShardError: If the index can't be read.
        """
        path = self.directory / VECTORS_FILE
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise _damaged(path, f"{error}. Run: anomalylmm gc") from error
        return index.search(queries, min(k, self.manifest.rows))

    def read_table(self, shard_id: str) -> pa.Table:
        """``ROW_COLUMNS`` of one of its shards.

        Raises:
            ShardError: If they can't be read.
        """
        path = self.directory / ROWS_FILE
        try:
            with pa.memory_map(str(path)) as file:
                return pa.Table.from_batches([pa.ipc.open_file(file).get_batch(self._numbers[shard_id])])
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, f"{error}. Run: anomalylmm gc") from error


def indexes_dir(layout: StoreLayout, pipeline_digest: str) -> Path:
    """Where the compacted indexes of a pipeline lie."""
    return layout.root / "indexes" / encode_name(pipeline_digest)


def iter_index_dirs(layout: StoreLayout) -> Iterator[Path]:
    """The directories of all compacted indexes, whole or not, in order."""
    yield from sorted(path for path in (layout.root / "indexes").glob("*/*") if path.is_dir())


def read_index_manifest(directory: Path) -> IndexManifest:
    """Reads the manifest of an index.

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
        if set(content["files"]) != {VECTORS_FILE, ROWS_FILE}:
            raise ValueError(f"it must list {VECTORS_FILE} and {ROWS_FILE}, and no other file")
        return revive(content, _MANIFEST)
    except (StoreError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def open_indexes(
    layout: StoreLayout, pipeline_digest: str, shards: Iterable[GalleryShard]
) -> tuple[CompactedIndex, ...]:
    """Opens the usable indexes of a pipeline, largest first, each shard in one at most; others are left out.

    ``shards`` are the valid ones of the pipeline.
    """
    found = []
    there = frozenset(CompactedShard.of(shard) for shard in shards)
    for directory in sorted(path for path in indexes_dir(layout, pipeline_digest).glob("*") if path.is_dir()):
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


def verify_index(directory: Path, *, deep: bool) -> str:
    """What is wrong with the files of an index; empty where nothing is."""
    try:
        CompactedIndex(directory, read_index_manifest(directory), deep=deep)
    except StoreError as error:
        return str(error)
    return ""


def _damaged(path: Path, reason: str) -> ShardError:
    return ShardError(f"{path} can't be used: {reason}.")

"""Which shards of a pipeline are valid, by their manifests, and whether the gallery has changed since."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.disk.files import read_stamp
from storage.disk.layout import INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.shards.manifest import ShardManifest, iter_shard_dirs
from storage.shards.vectors import open_or_rebuild
from storage.shards.writer import ShardProblem, inspect_shard


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GalleryShard:
    """A valid shard as it was when the gallery was opened."""

    directory: Path
    manifest: ShardManifest = field(repr=False)

    @property
    def shard_id(self) -> str:
        """Its id."""
        return self.manifest.key.shard_id

    def open_index(self, *, whole: bool) -> Any:
        """Its FAISS index (see ``open_or_rebuild``).

        Raises:
            ShardError: If its vectors can't be read.
        """
        return open_or_rebuild(self.directory, self.manifest.rows, self.manifest.dimension, whole=whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidShard:
    """A directory under ``shards/`` that is not a valid shard, and the reason."""

    directory: Path
    problems: tuple[ShardProblem, ...]


def open_shards(layout: StoreLayout, pipeline_digest: str) -> tuple[list[GalleryShard], list[InvalidShard]]:
    """Reads the manifests of a pipeline: its valid shards and the invalid ones, by camera, date and id.

    A missing or cut index does not make a shard invalid, since it is built again when needed.
    """
    valid, invalid = [], []
    for directory in iter_shard_dirs(layout, pipeline_digest):
        manifest, found = inspect_shard(directory, deep=False)
        problems = tuple(problem for problem in found if problem.file != INDEX_FILE)
        if manifest and not problems:
            valid.append(GalleryShard(directory=directory, manifest=manifest))
        else:
            invalid.append(InvalidShard(directory=directory, problems=problems))
    return valid, invalid


def gallery_stamp(layout: StoreLayout, pipeline_digest: str) -> tuple[object, ...]:
    """A value that changes when a shard of the pipeline, or a compacted index of it, is added, replaced or removed.

    Take it before the gallery is opened: what changes in between then counts as a change.
    """
    manifests = [directory / MANIFEST_FILE for directory in iter_shard_dirs(layout, pipeline_digest)]
    paths = [*manifests, *sorted(layout.indexes_dir(pipeline_digest).glob("*"))]
    return tuple((str(path), read_stamp(path)) for path in paths)

"""Which shards of a pipeline are valid, by their manifests, and whether the gallery has changed since."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.disk.files import read_stamp
from storage.disk.layout import INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.gallery.compacted import indexes_dir
from storage.gallery.shard import GalleryShard
from storage.shards.manifest import ShardManifest, read_manifest
from storage.shards.writer import ShardProblem, find_problems


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
        try:
            manifest = read_manifest(directory)
            found = find_problems(directory, manifest, deep=False)
            problems = [problem for problem in found if problem.file != INDEX_FILE]
        except StoreError as error:
            problems = [ShardProblem(file=MANIFEST_FILE, message=str(error))]
        if problems:
            invalid.append(InvalidShard(directory=directory, problems=tuple(problems)))
        else:
            valid.append(GalleryShard(directory=directory, manifest=manifest))
    return valid, invalid


def iter_shard_dirs(layout: StoreLayout, pipeline_digest: str | None = None) -> Iterator[Path]:
    """The directories where shards lie, valid or not, of one pipeline or of all, in order."""
    top = layout.shards if pipeline_digest is None else layout.pipeline_dir(pipeline_digest)
    pattern = "*/*/*/*" if pipeline_digest is None else "*/*/*"
    yield from sorted(path for path in top.glob(pattern) if path.is_dir())


def iter_manifests(layout: StoreLayout) -> Iterator[tuple[Path, ShardManifest]]:
    """All shards with their manifests, in order; damaged ones are left out, since ``verify`` names them."""
    for directory in iter_shard_dirs(layout):
        try:
            manifest = read_manifest(directory)
        except StoreError:
            continue
        yield directory, manifest


def gallery_stamp(layout: StoreLayout, pipeline_digest: str) -> tuple[object, ...]:
    """A value that changes when a shard of the pipeline, or a compacted index of it, is added, replaced or removed.

    Take it before the gallery is opened: what changes in between then counts as a change.
    """
    manifests = [directory / MANIFEST_FILE for directory in iter_shard_dirs(layout, pipeline_digest)]
    paths = [*manifests, *sorted(indexes_dir(layout, pipeline_digest).glob("*"))]
    return tuple((str(path), read_stamp(path)) for path in paths)

"""Which shards of a pipeline are valid: by its catalog where they are as they were, by their manifests otherwise."""

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.disk.layout import INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.gallery.catalog import Catalog, CatalogEntry, catalog_path, is_current, keep_catalog, may_keep, read_stamp
from storage.gallery.facts import GalleryShard
from storage.shards.manifest import read_manifest
from storage.shards.writer import ShardProblem, check_shard

_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidShard:
    """A directory among the shards that is none, and why."""

    directory: Path
    problems: tuple[ShardProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedShards:
    """What lies in a pipeline's directory, by place."""

    valid: tuple[GalleryShard, ...]
    invalid: tuple[InvalidShard, ...]


def open_shards(layout: StoreLayout, pipeline_digest: str, *, cataloged: bool = True) -> OpenedShards:
    """Lists the shards of a pipeline, and keeps its catalog for the next time.

    Args:
        layout: The store.
        pipeline_digest: The pipeline.
        cataloged: False: read every manifest, neither use nor write a catalog.
    """
    top, path = str(layout.pipeline_dir(pipeline_digest)), catalog_path(layout, pipeline_digest)
    catalog = Catalog.open(path) if cataloged else Catalog()
    began_ns = time.time_ns()
    valid, invalid, kept, fresh = [], [], [], []
    for place in _iter_places(top):
        entry = catalog.entries.get(place)
        if entry is not None and is_current(top, entry):
            valid.append(catalog.shard(top, entry))
            kept.append(entry)
            continue
        stamp = read_stamp(f"{top}/{place}")
        shard = _open_shard(Path(top, place))
        if isinstance(shard, InvalidShard):
            invalid.append(shard)
        elif shard is not None:
            valid.append(shard)
            if stamp and may_keep(stamp, shard, began_ns):
                fresh.append(CatalogEntry(place=place, stamp=stamp, facts=shard.facts, start=0, stop=0))
    if cataloged and (fresh or len(kept) < len(catalog.entries)):
        keep_catalog(layout, path, catalog, [*kept, *fresh])
    return OpenedShards(valid=tuple(valid), invalid=tuple(invalid))


def _open_shard(directory: Path) -> GalleryShard | InvalidShard | None:
    """What lies in a directory; None where it is none."""
    if not directory.is_dir():
        return None
    try:
        manifest = read_manifest(directory)
    except StoreError as error:
        problem = ShardProblem(file=MANIFEST_FILE, message=str(error))
        return InvalidShard(directory=directory, problems=(problem,))
    problems = [item for item in check_shard(directory, manifest, deep=False) if item.file != INDEX_FILE]
    if problems:
        return InvalidShard(directory=directory, problems=tuple(problems))
    return GalleryShard.of(directory, manifest)


def _iter_places(top: str) -> Iterator[str]:
    """Camera, date and id of all that lies where shards lie, in order."""
    for camera in _list_names(top):
        for date in _list_names(f"{top}/{camera}"):
            for name in _list_names(f"{top}/{camera}/{date}"):
                yield f"{camera}/{date}/{name}"


def _list_names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - a Path for each of thousands takes as long as the listing
    except OSError as error:
        if error.errno in _NO_FOLDER:
            return []
        raise

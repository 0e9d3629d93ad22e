"""Which shards of a pipeline are valid, by their manifests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.disk.layout import INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.gallery.shard import GalleryShard
from storage.shards.writer import ShardProblem, verify_shard


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidShard:
    """A directory under ``shards/`` that is not a valid shard, and the reason."""

    directory: Path
    problems: tuple[ShardProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedShards:
    """What lies in a pipeline's directory, in order of camera, date and id."""

    valid: tuple[GalleryShard, ...]
    invalid: tuple[InvalidShard, ...]


def open_shards(layout: StoreLayout, pipeline_digest: str) -> OpenedShards:
    """Reads the manifests of a pipeline's shards."""
    opened = [_open_shard(directory) for directory in iter_shard_dirs(layout, pipeline_digest)]
    return OpenedShards(
        valid=tuple(shard for shard in opened if isinstance(shard, GalleryShard)),
        invalid=tuple(shard for shard in opened if isinstance(shard, InvalidShard)),
    )


def iter_shard_dirs(layout: StoreLayout, pipeline_digest: str | None = None) -> Iterator[Path]:
    """The directories where shards lie, valid or not, of one pipeline or of all, in order."""
    top = layout.shards if pipeline_digest is None else layout.pipeline_dir(pipeline_digest)
    pattern = "*/*/*/*" if pipeline_digest is None else "*/*/*"
    yield from sorted(path for path in top.glob(pattern) if path.is_dir())


def _open_shard(directory: Path) -> GalleryShard | InvalidShard:
    try:
        return GalleryShard.read(directory)
    except StoreError as error:
        found = [problem for problem in verify_shard(directory, deep=False) if problem.file != INDEX_FILE]
        problems = found or [ShardProblem(file=MANIFEST_FILE, message=str(error))]
        return InvalidShard(directory=directory, problems=tuple(problems))

"""What opening a gallery needs to know of each shard; the rest of a manifest comes when it is asked for."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from storage.disk.layout import CROPS_FILE
from storage.shards.manifest import ShardManifest, read_manifest


class ShardFacts(NamedTuple):  # and no dataclass: an opening makes one for each shard, of which there are thousands
    """Some of what a manifest says."""

    camera: str
    date: str
    shard_id: str
    encoder_id: str
    dimension: int
    rows: int
    crops_bytes: int
    crops_sha256: str
    first_start: str  # of its videos, ISO, UTC; empty where it has none
    video_ids: str  # with blanks between

    @classmethod
    def of(cls, manifest: ShardManifest) -> Self:
        """Chooses them from a manifest."""
        crops = manifest.files[CROPS_FILE]
        starts = [video.start_utc for video in manifest.videos]
        return cls(
            camera=manifest.key.camera,
            date=manifest.key.date,
            shard_id=manifest.key.shard_id,
            encoder_id=manifest.encoder_id,
            dimension=manifest.dimension,
            rows=manifest.rows,
            crops_bytes=crops.num_bytes,
            crops_sha256=crops.sha256,
            first_start=min(starts).isoformat() if starts else "",
            video_ids=" ".join(video.video_id for video in manifest.videos),
        )


class GalleryShard:
    """One valid shard with its place."""

    __slots__ = ("_directory", "_load", "_manifest", "facts")

    def __init__(self, directory: str, facts: ShardFacts, load: Callable[[str], ShardManifest | None]) -> None:
        """Remembers what gives its manifest by its directory; where ``load`` gives none, it is read there."""
        self._directory, self.facts, self._load = directory, facts, load
        self._manifest: ShardManifest | None = None

    @classmethod
    def of(cls, directory: Path, manifest: ShardManifest) -> Self:
        """A shard whose manifest has been read."""
        shard = cls(str(directory), ShardFacts.of(manifest), lambda _: None)
        shard._manifest = manifest
        return shard

    @property
    def shard_id(self) -> str:
        """Its id."""
        return self.facts.shard_id

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return Path(self._directory)

    @property
    def manifest(self) -> ShardManifest:
        """All that it says of itself.

        Raises:
            ShardError: If it is not known yet and can't be read any more.
        """
        if self._manifest is None:
            self._manifest = self._load(self._directory) or read_manifest(self.directory)
        return self._manifest

    @property
    def video_ids(self) -> list[str]:
        """Its videos."""
        if self._manifest is not None:
            return [video.video_id for video in self._manifest.videos]
        return self.facts.video_ids.split()

    @property
    def first_start_utc(self) -> datetime | None:
        """When the first of its videos began."""
        return datetime.fromisoformat(self.facts.first_start) if self.facts.first_start else None

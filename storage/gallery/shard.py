"""One valid shard of a gallery: where it lies, and its manifest."""

from dataclasses import dataclass, field
from pathlib import Path

from storage.disk.layout import CROPS_FILE
from storage.shards.manifest import ShardManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVideo:
    """One video of a shard: what an index run needs to know of it."""

    video_id: str
    path: str  # relative to the archive
    camera: str
    size_bytes: int
    stored_utc: str  # ISO time at which the shard was made
    grown_from: tuple[str, ...] = ()  # ids of the same recording when its file was shorter
    body_id: str = ""  # digest of the content after the header; empty if it is not known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GalleryShard:
    """A shard as it was when the gallery was opened."""

    directory: Path
    manifest: ShardManifest = field(repr=False)

    @property
    def shard_id(self) -> str:
        """Its id."""
        return self.manifest.key.shard_id

    @property
    def camera(self) -> str:
        """The camera of all its videos."""
        return self.manifest.key.camera

    @property
    def rows(self) -> int:
        """Number of crops."""
        return self.manifest.rows

    @property
    def dimension(self) -> int:
        """Of its vectors."""
        return self.manifest.dimension

    @property
    def crops_sha256(self) -> str:
        """Digest of its crops."""
        return self.manifest.files[CROPS_FILE].sha256

    @property
    def video_ids(self) -> frozenset[str]:
        """The ids of its videos."""
        return frozenset(video.video_id for video in self.manifest.videos)

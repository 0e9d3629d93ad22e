"""One valid shard of a gallery: what a search needs to know of it, read from its manifest."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from anomalylmm.errors import ShardError, StoreError
from storage.disk.files import guarded
from storage.disk.layout import CROPS_FILE, MANIFEST_FILE, encode_name
from storage.shards.manifest import ShardManifest, load_manifest_content, read_manifest


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryShard:
    """A shard and where it lies; the rest of its manifest is read when it is asked for."""

    directory: Path
    camera: str
    date: str
    shard_id: str
    encoder_id: str
    dimension: int
    rows: int
    crops_sha256: str
    videos: tuple[StoredVideo, ...] = field(repr=False)
    first_start_utc: datetime | None  # of its videos; None where it has none

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Reads the manifest, without building a record for each video.

        Raises:
            ShardError: If the manifest is missing, damaged or in the wrong place, or ``crops.parquet`` has another size
                than it says.
            StoreError: If the manifest has another schema version.
        """
        path = directory / MANIFEST_FILE
        try:
            with guarded("read", path):
                content = load_manifest_content(path.read_text(encoding="utf-8"))
            shard = cls._from_content(directory, content)
            crops = content["files"][CROPS_FILE]
            with guarded("read", directory / CROPS_FILE):
                size = os.stat(directory / CROPS_FILE).st_size  # noqa: PTH116 - called for thousands of shards
        except (UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ShardError(f"{path} lacks a field or has a wrong one: {error}") from error
        if size != crops["num_bytes"]:
            raise ShardError(f"{directory / CROPS_FILE}: {size} bytes, but {crops['num_bytes']} were written")
        place = (encode_name(content["key"]["pipeline_digest"]), encode_name(shard.camera), shard.date, shard.shard_id)
        if directory.parts[-4:] != place:
            raise ShardError(f"{directory} belongs in {Path(*place)}")
        return shard

    @classmethod
    def _from_content(cls, directory: Path, content: dict[str, Any]) -> Self:
        key, starts = content["key"], [video["start_utc"] for video in content["videos"]]
        return cls(
            directory=directory,
            camera=key["camera"],
            date=key["date"],
            shard_id=key["shard_id"],
            encoder_id=content["encoder_id"],
            dimension=content["dimension"],
            rows=content["rows"],
            crops_sha256=content["files"][CROPS_FILE]["sha256"],
            videos=tuple(_read_video(content, video) for video in content["videos"]),
            first_start_utc=datetime.fromisoformat(min(starts)).astimezone(UTC) if starts else None,
        )

    @property
    def video_ids(self) -> tuple[str, ...]:
        """The ids of its videos."""
        return tuple(video.video_id for video in self.videos)

    @property
    def outgrown_ids(self) -> frozenset[str]:
        """The ids of shorter versions of its videos."""
        return frozenset(video_id for video in self.videos for video_id in video.grown_from)

    @property
    def manifest(self) -> ShardManifest:
        """The whole manifest, read again.

        Raises:
            ShardError: If the shard was removed or changed since the gallery was opened.
        """
        try:
            return read_manifest(self.directory)
        except StoreError as error:
            raise ShardError(
                f"{self.directory} was removed or changed meanwhile; run the search again: {error}"
            ) from error


def _read_video(content: dict[str, Any], video: dict[str, Any]) -> StoredVideo:
    return StoredVideo(
        video_id=video["video_id"],
        path=video["path"],
        camera=content["key"]["camera"],
        size_bytes=video["size_bytes"],
        stored_utc=content["created_utc"],
        grown_from=tuple(video.get("grown_from", ())),
        body_id=video.get("body_id", ""),
    )

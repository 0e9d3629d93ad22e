"""A shard's manifest: its videos, pipeline and checksums. Written last; without one there is no shard."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from anomalylmm.errors import ShardError, StoreError
from anomalylmm.records import ClockSource, DecodeReport, DecodeStatus, Video, VideoHeader, shared_fields
from storage.disk.files import digest_json, guarded, sha256_file
from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, ShardKey, StoreLayout
from storage.disk.notes import Utc, revive, seal, to_json
from storage.shards.schema import READABLE_VERSIONS, SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEntry:
    """One video of a shard, with how much of it was decoded."""

    video_id: str
    path: str  # relative to the archive
    size_bytes: int
    start_utc: Utc
    clock_source: ClockSource
    time_zone: str
    width_px: int
    height_px: int
    seconds_promised: float
    seconds_decoded: float
    num_frames: int
    decoder: str
    status: DecodeStatus
    coverage: float  # 0..1
    message: str = ""
    grown_from: tuple[str, ...] = ()  # ids of the same recording when its file was shorter, which this one replaces
    body_id: str = ""  # digest of the content after the header; empty if an earlier version wrote it
    clock_doubt: str = ""  # why the start may be wrong

    @classmethod
    def of(cls, video: Video, header: VideoHeader, report: DecodeReport) -> "VideoEntry":
        """Combines what the plan, the container and the decoder report about one video."""
        return cls(**shared_fields(cls, video, header, report))


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A recording that the store knows: what identifies it, and where and when it was made."""

    video_id: str
    path: str  # empty: unknown
    camera: str
    start_utc: datetime
    grown_from: tuple[str, ...] = ()  # ids of the same recording when its file was shorter
    size_bytes: int = 0  # 0: unknown
    body_id: str = ""  # digest of the content after the header; empty if it is not known

    @property
    def ids(self) -> frozenset[str]:
        """All ids that the recording has had."""
        return frozenset((self.video_id, *self.grown_from))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """Size and digest of one file of a shard."""

    num_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileEntry":
        """Reads a file.

        Raises:
            StoreError: If it can't be read.
        """
        with guarded("read", path):
            return cls(num_bytes=path.stat().st_size, sha256=sha256_file(path))

    def find_problem(self, path: Path, *, deep: bool) -> str:
        """What is wrong with the file now; empty if nothing is. With ``deep``, every byte is read."""
        try:
            num_bytes = path.stat().st_size
            if num_bytes != self.num_bytes:
                return f"{num_bytes} bytes, but {self.num_bytes} were written"
            if deep and sha256_file(path) != self.sha256:
                return "its content has changed since it was written (sha256)"
        except OSError as error:
            return f"can't be read: {error.strerror}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardManifest:
    """What a shard holds and how it was made."""

    key: ShardKey
    pipeline: Mapping[str, Any] = field(repr=False)  # models and parameters
    encoder_id: str
    dimension: int
    rows: int
    num_tracklets: int
    files: Mapping[str, FileEntry] = field(repr=False)
    videos: tuple[VideoEntry, ...] = field(repr=False)
    created_utc: Utc
    seconds: float  # time spent on making it
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Checks what readers rely on.

        Raises:
            ShardError: If a number is negative, or a file is missing or lies outside the directory.
        """
        if self.dimension < 1 or min(self.rows, self.num_tracklets) < 0:
            raise ShardError(f"Shard {self.key.shard_id} has an impossible dimension or number of rows.")
        missing = {CROPS_FILE, INDEX_FILE} - set(self.files)
        if missing:
            raise ShardError(f"Shard {self.key.shard_id} does not list {', '.join(sorted(missing))}.")
        for name in self.files:
            if name in {"", ".", ".."} or {"/", "\\", "\0"} & set(name):
                raise ShardError(f"Shard {self.key.shard_id} lists {name[:200]!r}, not a file in its directory.")

    @property
    def video_ids(self) -> frozenset[str]:
        """The ids of its videos."""
        return frozenset(video.video_id for video in self.videos)

    @property
    def footage(self) -> tuple[Footage, ...]:
        """What identifies its videos, and where and when they were made."""
        return tuple(Footage(**shared_fields(Footage, video, self.key)) for video in self.videos)

    def to_json(self) -> str:
        """The text of ``manifest.json``, including its own checksum."""
        content = json.loads(to_json(self))
        for video in content["videos"]:
            for name in ("grown_from", "body_id"):
                if not video[name]:
                    del video[name]  # earlier versions don't know it
        return seal(content)


_MANIFEST = TypeAdapter(ShardManifest)


def load_manifest_content(text: str) -> dict[str, Any]:
    """The fields of a ``manifest.json`` as plain JSON values.

    Raises:
        StoreError: If this version can't read its schema version.
        ShardError: If it is damaged or was edited.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ShardError(f"The manifest is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ShardError("The manifest is not a JSON object.")
    checksum = content.pop("checksum", None)
    version = content.get("schema_version")
    if version not in READABLE_VERSIONS:
        is_newer = isinstance(version, int) and version > SCHEMA_VERSION
        remedy = "Use the newer anomalylmm" if is_newer else "Index the archive into a new store, or use the anomalylmm"
        raise StoreError(
            f"Schema version is {version!r}, but this version reads {READABLE_VERSIONS}. {remedy} that wrote it."
        )
    if checksum != digest_json(content):
        raise ShardError("The manifest does not match its own checksum: it is damaged or was edited.")
    return content


def read_manifest(directory: Path) -> ShardManifest:
    """The manifest of the shard in ``directory``.

    Raises:
        ShardError: If it is missing or damaged.
        StoreError: If this version can't read its schema version.
    """
    path = directory / MANIFEST_FILE
    try:
        with guarded("read", path):
            text = path.read_text(encoding="utf-8")
    except (StoreError, UnicodeDecodeError) as error:
        raise ShardError(f"{directory} is not a shard: {error}") from error
    try:
        content = load_manifest_content(text)
    except StoreError as error:
        raise type(error)(f"{path}: {error}") from error
    except ValueError as error:
        raise ShardError(f"{path}: a number of the manifest is NaN or infinite: {error}") from error
    try:
        return revive(content, _MANIFEST)
    except StoreError as error:
        raise ShardError(f"{path}: a field of the manifest is missing or wrong: {error}") from error


def iter_shard_dirs(layout: StoreLayout, pipeline_digest: str | None = None) -> Iterator[Path]:
    """The directories where shards lie, valid or not, of one pipeline or of all, in order."""
    top = layout.shards if pipeline_digest is None else layout.pipeline_dir(pipeline_digest)
    yield from sorted(top.glob("*/*/*/*/" if pipeline_digest is None else "*/*/*/"))


def iter_manifests(layout: StoreLayout) -> Iterator[tuple[Path, ShardManifest]]:
    """All shards with their manifests, in order; damaged ones are left out, since ``verify`` names them."""
    for directory in iter_shard_dirs(layout):
        with suppress(StoreError):  # a damaged one
            yield directory, read_manifest(directory)

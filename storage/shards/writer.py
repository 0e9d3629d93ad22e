"""Writes shards, each of which exists completely or not at all, and verifies them."""

import errno
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from anomalylmm.errors import LostClaimError, ShardError, StoreBusyError, StoreError
from anomalylmm.records import CropRow
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, fsync_path, guarded, replace_file, unique_name, write_last
from storage.disk.layout import (
    CROPS_FILE,
    INDEX_FILE,
    MANIFEST_FILE,
    ShardKey,
    StoreLayout,
    encode_name,
    make_shard_id,
)
from storage.disk.leftovers import locked_directory, move_away
from storage.shards.manifest import FileEntry, ShardManifest, VideoEntry, read_manifest
from storage.shards.schema import crops_schema, rows_to_table
from storage.shards.vectors import build_index, open_index, rebuild_index, write_index

ROWS_PER_GROUP = 256  # about 5 MB of pictures: read by one look-up, kept in memory while appending
_NUM_TRIES = 5  # to take a name that other workers try to take too


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardProblem:
    """What is wrong with one file of a shard."""

    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


class ShardWriter:
    """Builds one shard under a temporary name; ``publish`` moves it to its final place.

    Use it as a context manager: entering it creates the temporary directory, leaving it without ``publish`` removes it.
    """

    def __init__(
        self, layout: StoreLayout, key: ShardKey, *, pipeline: Mapping[str, Any], encoder_id: str, dimension: int
    ) -> None:
        self._layout, self._key = layout, key
        self._pipeline, self._encoder_id, self._dimension = pipeline, encoder_id, dimension
        about = {"anomalylmm.pipeline": key.pipeline_digest, "anomalylmm.encoder": encoder_id}
        self._schema = crops_schema(dimension, about)
        self.directory = layout.temporary / unique_name(key.shard_id)
        self._pending: list[CropRow] = []
        self._crop_ids: set[str] = set()
        self._tracklet_ids: set[str] = set()
        self._file: pq.ParquetWriter | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Creates the temporary directory and locks it, so that ``collect_garbage`` leaves it alone.

        Raises:
            StoreError: If it can't be created.
        """
        with ExitStack() as resources, guarded("create", self.directory):
            self._layout.create()
            resources.enter_context(locked_directory(self.directory))
            plain = [name for name in self._schema.names if name not in ("jpeg", "vector")]
            self._file = pq.ParquetWriter(
                self.directory / CROPS_FILE,
                self._schema,
                compression="zstd",
                use_dictionary=plain,
                write_statistics=plain,
            )
            resources.callback(self._close_file)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError, pa.ArrowException):  # the disk is full, but the file is removed anyway
                self._file.close()
            self._file = None

    def append(self, rows: Sequence[CropRow]) -> None:
        """Adds rows, writing them in row groups to keep memory small.

        Raises:
            ShapeError: If a vector does not have the shard's dimension.
            ShardError: If a crop was appended before.
            StoreError: If the rows can't be written.
        """
        for row in rows:
            if row.crop_id in self._crop_ids:
                raise ShardError(f"Crop {row.crop_id} was appended twice to shard {self._key.shard_id}.")
            self._crop_ids.add(row.crop_id)
            self._tracklet_ids.add(row.tracklet_id)
            self._pending.append(row)
            if len(self._pending) >= ROWS_PER_GROUP:
                self._flush()

    def publish(self, videos: Sequence[VideoEntry], seconds: float) -> ShardManifest:
        """Moves the shard to its final place; if there is a valid one already, it stays.

        The videos are all that were read, including those without any person; ``seconds`` is the time spent on them.

        Returns:
            The manifest of the shard that is there now.

        Raises:
            StoreError: If it can't be written; then nothing is published.
        """
        return _move_into_place(self._layout, self.directory, self._finish(videos, seconds))

    def publish_new(self, videos: Sequence[VideoEntry], seconds: float) -> ShardManifest:
        """Publishes under the id of exactly these videos, unless another run has meanwhile published them.

        The caller has claimed the videos (``storage.disk.claims``), so that no other run publishes them now. The id
        depends on what could be read, not on what was planned. So a run that skips a broken video because of its
        quarantine gives the same id as the run that found it broken.

        Returns:
            The manifest of the shard that now holds the videos.

        Raises:
            StoreBusyError: If another run has published some of them, but not all.
            LostClaimError: If another run has taken over.
            StoreError: If it can't be written; then nothing is published.
        """
        digest = self._key.pipeline_digest
        self._key = replace(self._key, shard_id=make_shard_id([video.video_id for video in videos], digest))
        manifest = self._finish(videos, seconds)
        return _find_holder(self._layout, manifest) or _move_into_place(self._layout, self.directory, manifest)

    def _finish(self, videos: Sequence[VideoEntry], seconds: float) -> ShardManifest:
        self._close_crops()
        reach("shard.crops_written")
        write_index(build_index(self.directory / CROPS_FILE, self._dimension), self.directory / INDEX_FILE)
        reach("shard.index_written")
        manifest = self._describe(videos, seconds)
        write_last(self.directory / MANIFEST_FILE, manifest.to_json(), "shard.manifest_written")
        return manifest

    def _flush(self) -> None:
        if self._file is None:
            raise ShardError(f"Shard {self._key.shard_id} is not open: use the writer in a with block, publish once.")
        with guarded("write", self.directory / CROPS_FILE):
            if self._pending:
                self._file.write_table(rows_to_table(self._pending, self._schema), row_group_size=ROWS_PER_GROUP)
        self._pending = []

    def _close_crops(self) -> None:
        self._flush()
        path = self.directory / CROPS_FILE
        with guarded("write", path):
            if self._file is not None:
                self._file.close()
            self._file = None
            fsync_path(path)

    def _describe(self, videos: Sequence[VideoEntry], seconds: float) -> ShardManifest:
        return ShardManifest(
            key=self._key,
            pipeline=dict(self._pipeline),
            encoder_id=self._encoder_id,
            dimension=self._dimension,
            rows=len(self._crop_ids),
            num_tracklets=len(self._tracklet_ids),
            files={name: FileEntry.of(self.directory / name) for name in (CROPS_FILE, INDEX_FILE)},
            videos=tuple(sorted(videos, key=lambda video: (video.start_utc, video.video_id))),
            created_utc=datetime.now(UTC),
            seconds=seconds,
        )


def verify_shard(directory: Path, *, deep: bool) -> list[ShardProblem]:
    """What is wrong with a shard; an empty list if nothing is.

    With ``deep``, not only sizes are compared: every byte is read, and digests and counts are compared too.
    """
    return inspect_shard(directory, deep=deep)[1]


def inspect_shard(directory: Path, *, deep: bool) -> tuple[ShardManifest | None, list[ShardProblem]]:
    """The manifest of a shard, None if it can't be read, and what is wrong with the shard (see ``verify_shard``)."""
    try:
        manifest = read_manifest(directory)
    except StoreError as error:
        return None, [ShardProblem(file=MANIFEST_FILE, message=str(error))]
    problems = _check_place(directory, manifest)
    for name, entry in manifest.files.items():
        message = entry.find_problem(directory / name, deep=deep)
        problems += [ShardProblem(file=name, message=message)] if message else []
    if deep and not problems:
        problems += _check_content(directory, manifest)
    return manifest, problems


def repair_index(layout: StoreLayout, directory: Path) -> None:
    """Rebuilds the index of a shard, and updates the manifest if this FAISS writes different bytes.

    Raises:
        StoreError: If the Parquet file or the manifest can't be read, or the store can't be written to.
    """
    manifest = read_manifest(directory)
    rebuild_index(directory, manifest.dimension)
    reach("index.rebuilt")
    entry = FileEntry.of(directory / INDEX_FILE)
    if entry != manifest.files[INDEX_FILE]:
        repaired = replace(manifest, files={**manifest.files, INDEX_FILE: entry})
        replace_file(directory / MANIFEST_FILE, repaired.to_json().encode(), scratch=layout.temporary)


def _find_holder(layout: StoreLayout, built: ShardManifest) -> ShardManifest | None:
    """The shard of the same camera and day in which another run has meanwhile published all videos of ``built``."""
    own = built.video_ids
    place = layout.shard_dir(built.key)
    siblings = [manifest for manifest in read_siblings(place.parent) if manifest.key.shard_id != place.name]
    others = [(manifest, own & manifest.video_ids) for manifest in siblings]
    held = set[str]().union(*(ids for _, ids in others))
    if held and held != own:
        paths = sorted(video.path for video in built.videos if video.video_id in held)
        raise StoreBusyError(
            f"Another index run has meanwhile published {len(held)} of {len(own)} videos of camera "
            f"{built.key.camera!r} on {built.key.date}, such as {paths[0]!r}. Run again when it has finished: only "
            "the rest is indexed."
        )
    return next((manifest for manifest, ids in others if ids), None)


def read_siblings(folder: Path) -> list[ShardManifest]:
    """The intact shards of one camera and day; damaged ones don't count, as their videos are indexed again."""
    found = []
    for directory in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(StoreError, OSError):
            manifest = read_manifest(directory)
            if (directory / CROPS_FILE).stat().st_size == manifest.files[CROPS_FILE].num_bytes:
                found.append(manifest)
    return found


def _move_into_place(layout: StoreLayout, built: Path, manifest: ShardManifest) -> ShardManifest:
    final = layout.shard_dir(manifest.key)
    for _ in range(_NUM_TRIES):
        with guarded("publish", final):
            create_directories(final.parent)
            if _rename(built, final, manifest):
                fsync_path(final.parent)
                reach("shard.renamed")
                return manifest
        if not verify_shard(final, deep=True):
            return read_manifest(final)
        if move_away(layout, final, ".invalid"):
            reach("shard.moved_aside")
    raise StoreError(f"Can't publish {final}: other workers keep changing it. Run again when they have finished.")


def _rename(built: Path, final: Path, manifest: ShardManifest) -> bool:
    """Returns False if ``final`` is taken: renaming never replaces a directory that has content."""
    try:
        built.rename(final)
    except FileNotFoundError as error:
        with suppress(StoreError):
            if read_manifest(final).to_json() == manifest.to_json():
                return True  # a network file system did it, but its answer was lost and the request repeated
        raise LostClaimError(
            f"Another run has taken over the {len(manifest.videos)} videos of camera {manifest.key.camera!r} on "
            f"{manifest.key.date}, because this one was paused or cut off for too long. Nothing was published here."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def _check_place(directory: Path, manifest: ShardManifest) -> list[ShardProblem]:
    key = manifest.key
    expected = (encode_name(key.pipeline_digest), encode_name(key.camera), key.date, key.shard_id)
    if directory.parts[-4:] == expected or directory.absolute().parts[-4:] == expected:  # the first is quick
        return []
    return [ShardProblem(file=MANIFEST_FILE, message=f"it belongs in {Path(*expected)}, not in {directory}")]


def _check_content(directory: Path, manifest: ShardManifest) -> list[ShardProblem]:
    problems = []
    with pq.ParquetFile(directory / CROPS_FILE) as file:
        size = file.schema_arrow.field("vector").type.list_size
        if (file.metadata.num_rows, size) != (manifest.rows, manifest.dimension):
            message = f"{file.metadata.num_rows} rows of dimension {size}, but the manifest says otherwise"
            problems.append(ShardProblem(file=CROPS_FILE, message=message))
    try:
        open_index(directory / INDEX_FILE, manifest.rows, manifest.dimension)
    except ShardError as error:
        problems.append(ShardProblem(file=INDEX_FILE, message=str(error)))
    return problems

"""The paths of a store. Camera names and ids are data: none of them can lead out of the store."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as calendar_date
from pathlib import Path
from typing import Self
from urllib.parse import quote

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, digest_json, guarded, replace_file

CROPS_FILE = "crops.parquet"
INDEX_FILE = "index.faiss"
MANIFEST_FILE = "manifest.json"
MAX_NAME_BYTES = 200  # file systems allow 255; temporary names are longer
_PLAIN_ID = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,127}")


def encode_name(name: str) -> str:
    """Turns any text into one safe path component: percent-encoded; long text is cut and ends in its digest."""
    encoded = quote(name, safe="", errors="surrogateescape").replace("~", "%7E") or "%"
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) <= MAX_NAME_BYTES:
        return encoded
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{encoded[: MAX_NAME_BYTES - 33]}~{digest[:32]}"


def make_shard_id(video_ids: Iterable[str], pipeline_digest: str) -> str:
    """The id of a shard: always the same for the same videos and pipeline."""
    return digest_json([sorted(video_ids), pipeline_digest])[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardKey:
    """What identifies a shard: the pipeline, the camera, the day, and the digest of its videos."""

    pipeline_digest: str
    camera: str  # as given; encoded only in paths
    date: str  # "2026-03-01", the day by the camera's wall clock
    shard_id: str

    def __post_init__(self) -> None:
        """Checks the ids and the date.

        Raises:
            StoreError: If an id could lead out of its directory, or the date is invalid.
        """
        for name in ("pipeline_digest", "shard_id"):
            if not _PLAIN_ID.fullmatch(getattr(self, name)):
                raise StoreError(
                    f"{name} must be 1 to 128 characters, each a letter, a digit or one of _.-, and not begin "
                    f"with a dot, but is {getattr(self, name)!r}"
                )
        try:
            calendar_date.fromisoformat(self.date)
        except ValueError as error:
            raise StoreError(f"date must be like 2026-03-01, but is {self.date!r}") from error


class _Below:
    """A path below the store's root."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def __get__(self, layout: "StoreLayout", owner: type) -> Path:
        return layout.root.joinpath(*self._parts)


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """Every path of one store."""

    root: Path

    shards = _Below("shards")  # published shards: <pipeline>/<camera>/<date>/<shard id>
    temporary = _Below("temporary")  # what is being built, on the same file system as the rest
    quarantine = _Below("quarantine")  # videos that can't be read, with the reasons
    erasures = _Below("erasures")  # notes on what was erased, and on what may be indexed again anyway
    corrections = _Below("corrections")  # cameras and clocks of videos that a person corrected
    archives = _Below("archives")  # what each archive held, and what is missing from it
    indexes = _Below("indexes")  # compacted vectors of many shards: <pipeline>/<digest>
    snapshot = _Below("hits", "hits.duckdb")  # the published database that analysts open
    inbox = _Below("hits", "inbox")  # searches and feedback waiting for the writer to save them
    unpublished = _Below("hits", "unpublished")  # feedback that the writer has saved and not published yet
    reports = _Below("reports")  # reports with their pictures
    runs = _Below("runs")  # records of runs: how each ended and what it needed
    identity = _Below("identity")  # which store this is, for workers on other machines
    locks = _Below("locks")
    hits_lock = _Below("locks", "hits.lock")  # held by the one writer of the hits database
    indexes_lock = _Below("locks", "indexes.lock")  # held while compacted indexes are built or removed

    def __post_init__(self) -> None:
        """Makes the root absolute, so that a later change of the working directory does not move the store."""
        object.__setattr__(self, "root", Path(self.root).absolute())

    @classmethod
    def of_shard(cls, directory: Path) -> Self:
        """The store that the shard in ``directory`` belongs to."""
        return cls(directory.absolute().parents[4])

    @property
    def working(self) -> Path:
        """The writer's database. Its number grows when it is taken over from a machine that may still write to it."""
        return self._name_working(self._working_number)

    @property
    def next_working(self) -> Path:
        """The name of the writer's database after it was taken over."""
        return self._name_working(self._working_number + 1)

    @property
    def _working_number(self) -> int:
        names = [path.name.split(".")[1] for path in (self.root / "hits").glob("working.*.duckdb")]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def _name_working(self, number: int) -> Path:
        return self.root / "hits" / (f"working.{number}.duckdb" if number else "working.duckdb")

    def shard_dir(self, key: ShardKey) -> Path:
        """The directory of one shard."""
        return self.pipeline_dir(key.pipeline_digest) / encode_name(key.camera) / key.date / key.shard_id

    def pipeline_dir(self, pipeline_digest: str) -> Path:
        """The directory of all shards of one pipeline."""
        return self.shards / encode_name(pipeline_digest)

    def indexes_dir(self, pipeline_digest: str) -> Path:
        """The directory of the compacted indexes of one pipeline."""
        return self.indexes / encode_name(pipeline_digest)

    def create(self) -> None:
        """Creates the directories that are missing.

        Raises:
            StoreError: If one can't be created.
        """
        folders = (self.shards, self.temporary, self.quarantine, self.erasures, self.inbox, self.reports, self.locks)
        create_directories(*folders)

    def check_writable(self) -> None:
        """Checks that files can be written to the store and published.

        Raises:
            StoreError: If they can't, with the remedy.
        """
        self.create()
        probe = self.shards / ".probe"  # always the same name, so that killed processes leave at most one
        replace_file(probe, b"probe", scratch=self.temporary)  # also checks that both are on one file system
        with guarded("remove", probe):
            probe.unlink(missing_ok=True)  # another process may have removed it


def require_store(layout: StoreLayout) -> None:
    """Refuses a folder that is not a store, so that a misspelled path is not taken for an empty store.

    Raises:
        StoreError: If there is no store.
    """
    if not layout.shards.is_dir():
        raise StoreError(
            f"{layout.root} is not a store: it has no folder shards. Name the store with --store, "
            "or fill it: anomalylmm index ARCHIVE --store STORE."
        )

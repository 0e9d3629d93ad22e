"""Where everything lies in the store. Camera names and ids are data: they never name a place elsewhere."""

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
MAX_NAME_BYTES = 200  # file systems take 255; temporary names add to it
_PLAIN_ID = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,127}")


def encode_name(name: str) -> str:
    """One safe path part for any text: percent-encoded; a long one is cut and ends in its digest."""
    encoded = quote(name, safe="", errors="surrogateescape").replace("~", "%7E") or "%"
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) <= MAX_NAME_BYTES:
        return encoded
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{encoded[: MAX_NAME_BYTES - 33]}~{digest[:32]}"


def make_shard_id(video_ids: Iterable[str], pipeline_digest: str) -> str:
    """The id that the same videos under the same pipeline always get."""
    return digest_json([sorted(video_ids), pipeline_digest])[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardKey:
    """What names a shard: the pipeline, the camera, the day, and the digest of its videos."""

    pipeline_digest: str
    camera: str  # as given, encoded in paths only
    date: str  # "2026-03-01", day of the camera's wall clock
    shard_id: str

    def __post_init__(self) -> None:
        """Checks the ids and the date.

        Raises:
            StoreError: If an id could leave its directory, or the date is none.
        """
        for name in ("pipeline_digest", "shard_id"):
            if not _PLAIN_ID.fullmatch(getattr(self, name)):
                raise StoreError(
                    f"{name} must be 1 to 128 letters, digits or one of _.- and not begin "
                    f"with a dot, but is {getattr(self, name)!r}"
                )
        try:
            calendar_date.fromisoformat(self.date)
        except ValueError as error:
            raise StoreError(f"date must be like 2026-03-01, but is {self.date!r}") from error


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """Every path of one store."""

    root: Path

    def __post_init__(self) -> None:
        """Makes the root absolute, so that a later change of directory does not move the store."""
        object.__setattr__(self, "root", Path(self.root).absolute())

    @classmethod
    def of_shard(cls, directory: Path) -> Self:
        """The store that the shard in ``directory`` belongs to."""
        return cls(directory.absolute().parents[4])

    @property
    def shards(self) -> Path:
        """Published shards: ``<pipeline>/<camera>/<date>/<shard id>``."""
        return self.root / "shards"

    @property
    def temporary(self) -> Path:
        """What is being built, on the same file system as the rest."""
        return self.root / "temporary"

    @property
    def quarantine(self) -> Path:
        """Notes on videos that can't be read."""
        return self.root / "quarantine"

    @property
    def erasures(self) -> Path:
        """Notes on what was erased, one small file each, and on what may be indexed again all the same."""
        return self.root / "erasures"

    @property
    def working(self) -> Path:
        """The writer's database."""
        return self.root / "hits" / "working.duckdb"

    @property
    def snapshot(self) -> Path:
        """The published database that analysts open."""
        return self.root / "hits" / "hits.duckdb"

    @property
    def inbox(self) -> Path:
        """Searches and feedback that wait for the writer to take them in."""
        return self.root / "hits" / "inbox"

    @property
    def reports(self) -> Path:
        """Reports with their pictures."""
        return self.root / "reports"

    @property
    def runs(self) -> Path:
        """Notes on runs: how each ended and what it took."""
        return self.root / "runs"

    @property
    def locks(self) -> Path:
        """Lock files."""
        return self.root / "locks"

    @property
    def hits_lock(self) -> Path:
        """The lock of the one writer of ``working``."""
        return self.locks / "hits.lock"

    def shard_dir(self, key: ShardKey) -> Path:
        """The directory of one shard."""
        return self.pipeline_dir(key.pipeline_digest) / encode_name(key.camera) / key.date / key.shard_id

    def pipeline_dir(self, pipeline_digest: str) -> Path:
        """The directory of all shards of one pipeline."""
        return self.shards / encode_name(pipeline_digest)

    def create(self) -> None:
        """Creates the directories; those that are there stay.

        Raises:
            StoreError: If one can't be created.
        """
        for path in (self.shards, self.temporary, self.quarantine, self.erasures, self.inbox, self.reports, self.locks):
            with guarded("create", path):
                create_directories(path)

    def check_writable(self) -> None:
        """Proves that the store can be written and published into.

        Raises:
            StoreError: If it can't, with the remedy.
        """
        self.create()
        probe = self.shards / ".probe"  # one name, so that a killed process leaves no more than one
        replace_file(probe, b"probe", scratch=self.temporary)  # also proves one file system for both
        with guarded("remove", probe):
            probe.unlink(missing_ok=True)  # another process may have removed it

"""Notes on what was erased and must not come back: one small file per erasure, without pictures, file names or queries.

A note whose name contains "lift" lists erased videos that may be indexed again.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter

from anomalylmm.errors import StoreError
from storage.disk.files import digest_json
from storage.disk.layout import StoreLayout
from storage.disk.notes import Utc, read_note, write_note
from storage.shards.manifest import Footage
from storage.shards.schema import clean_text, require_utc

ErasureStamp = tuple[tuple[str, int], ...]
_LIFT = "lift-"  # in the names of notes that lift erasures


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFile:
    """How to know an erased recording again whose file has grown since. It holds no file name, only its digest."""

    video_id: str
    path_id: str
    size_bytes: int
    body_id: str

    @classmethod
    def of(cls, footage: Footage) -> Self:
        """Takes it from what was erased."""
        path_id = digest_json(footage.path)[:32]
        return cls(video_id=footage.video_id, path_id=path_id, size_bytes=footage.size_bytes, body_id=footage.body_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRule:
    """Which videos to erase: those that meet all conditions given; at least one must be given."""

    before_utc: Utc | None = None  # began before this time
    cameras: tuple[str, ...] = ()  # of these cameras; empty: of any camera
    spared_cameras: tuple[str, ...] = ()  # but not of these cameras
    videos: tuple[str, ...] = ()  # only these: ids, or paths as in the table videos

    @property
    def is_lasting(self) -> bool:
        """Whether it also covers videos that are not indexed yet."""
        return bool(self.before_utc and not self.videos)

    def __post_init__(self) -> None:
        """Checks that there is a condition, so that an empty rule never matches everything.

        Raises:
            StoreError: If there is none, or the time has no time zone.
        """
        if not self.before_utc and not self.cameras and not self.videos:
            raise StoreError("an erasure rule must name a time, a camera or a video, but is empty; give one of them")
        if self.before_utc:
            object.__setattr__(self, "before_utc", require_utc("before_utc", self.before_utc))

    def matches(self, footage: Footage) -> bool:
        """Whether a video is to be erased."""
        names = {*footage.ids, footage.path, clean_text(footage.path)}
        is_named = not self.videos or not names.isdisjoint(self.videos)
        is_old = self.before_utc is None or footage.start_utc < self.before_utc
        has_camera = footage.camera not in self.spared_cameras and (not self.cameras or footage.camera in self.cameras)
        return is_named and is_old and has_camera

    def describe(self) -> str:
        """The rule in words; tells how many videos were named, but not which."""
        parts = [f"began before {self.before_utc.isoformat(timespec='seconds')}" if self.before_utc else ""]
        parts += [f"of {', '.join(self.cameras)}" if self.cameras else ""]
        parts += [f"not of {', '.join(self.spared_cameras)}" if self.spared_cameras else ""]
        parts += [f"named, {len(self.videos)}" if self.videos else ""]
        return "videos " + ", ".join(part for part in parts if part)


def matches_any(rules: Iterable[ErasureRule], footage: Footage) -> bool:
    """Whether a video is to be erased by any of the rules."""
    return any(rule.matches(footage) for rule in rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedShard:
    """A shard that holds videos to erase."""

    directory: str  # relative to the store
    rest_id: str  # id of the shard for the videos to keep; empty if none are kept
    num_videos: int  # to erase
    num_crops: int  # to erase

    @property
    def shard_id(self) -> str:
        """The id of the shard, which is the name of its directory."""
        return self.directory.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure: what it covers while it is carried out, and afterwards the minimum that must be remembered."""

    erasure_id: str
    begun_utc: Utc
    rule: str  # in words
    rules: tuple[ErasureRule, ...]  # only those with a time, which also cover videos not indexed yet
    video_ids: tuple[str, ...] = field(repr=False)
    shards: tuple[AffectedShard, ...] = field(repr=False, default=())
    search_ids: tuple[str, ...] = field(repr=False, default=())  # searches by an erased crop; empty once finished
    files: tuple[ErasedFile, ...] = field(repr=False, default=())  # of the videos that no lasting rule covers
    is_finished: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """The shards that were removed, including rewritten ones."""
        return tuple(shard.shard_id for shard in self.shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifting:
    """Erased videos that the user asked to index again."""

    lifted_video_ids: frozenset[str]


_ERASURE, _LIFTING = TypeAdapter(Erasure), TypeAdapter(Lifting)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFootage:
    """What must not be indexed again."""

    video_ids: frozenset[str]
    rules: tuple[ErasureRule, ...]
    lifted: frozenset[str]  # erased videos that the user asked to index again
    files: Mapping[str, tuple[ErasedFile, ...]] = field(default_factory=dict, repr=False)  # by path_id, newest first

    @classmethod
    def read(cls, layout: StoreLayout) -> Self:
        """Everything that was erased, and what was lifted since.

        Raises:
            StoreError: If a note can't be read.
        """
        erased: set[str] = set()
        lifted: set[str] = set()
        rules: dict[ErasureRule, None] = {}
        files: dict[str, tuple[ErasedFile, ...]] = {}
        for note in _iter_notes(layout):
            if isinstance(note, Lifting):
                lifted |= note.lifted_video_ids
            else:
                erased |= set(note.video_ids)
                lifted -= set(note.video_ids)
                rules |= dict.fromkeys(note.rules)
                for file in note.files:
                    files[file.path_id] = (file, *files.get(file.path_id, ()))
        return cls(video_ids=frozenset(erased), rules=tuple(rules), lifted=frozenset(lifted), files=files)

    def files_at(self, path: str) -> tuple[ErasedFile, ...]:
        """What was erased of this path in the archive, the newest first."""
        return self.files.get(digest_json(path)[:32], ())

    def blocks(self, footage: Footage) -> bool:
        """Whether a video must not be indexed: it or a shorter version of it was erased, or a rule matches it."""
        is_erased = not footage.ids.isdisjoint(self.video_ids - self.lifted)
        return is_erased or (footage.ids.isdisjoint(self.lifted) and matches_any(self.rules, footage))


def write_erasure(layout: StoreLayout, erasure: Erasure) -> None:
    """Writes the note on an erasure durably, replacing an earlier one.

    Raises:
        StoreError: If it can't be written.
    """
    write_note(layout, _path(layout, erasure.begun_utc, erasure.erasure_id), erasure)


def read_erasures(layout: StoreLayout) -> tuple[Erasure, ...]:
    """All erasures, oldest first, including unfinished ones.

    Raises:
        StoreError: If a note can't be read.
    """
    return tuple(note for note in _iter_notes(layout) if isinstance(note, Erasure))


def read_unfinished(layout: StoreLayout) -> tuple[Erasure, ...]:
    """The erasures that were interrupted.

    Raises:
        StoreError: If a note can't be read.
    """
    return tuple(erasure for erasure in read_erasures(layout) if not erasure.is_finished)


def lift_erasures(layout: StoreLayout, video_ids: Iterable[str]) -> None:
    """Notes that these erased videos may be indexed again; a later erasure can erase them again.

    Raises:
        StoreError: If it can't be written.
    """
    lifted = sorted(set(video_ids))
    if lifted:
        path = _path(layout, datetime.now(UTC), f"{_LIFT}{secrets.token_hex(4)}")
        write_note(layout, path, {"lifted_video_ids": lifted})


def erasure_stamp(layout: StoreLayout) -> ErasureStamp:
    """A value that changes when an erasure begins or ends, for readers without a lock that write what they read."""
    return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in layout.erasures.glob("*.json")))


def _path(layout: StoreLayout, moment: datetime, name: str) -> Path:
    return layout.erasures / f"{moment:%Y%m%dT%H%M%S%f}-{name}.json"


def _iter_notes(layout: StoreLayout) -> Iterator[Erasure | Lifting]:
    for path in sorted(layout.erasures.glob("*.json")):
        try:
            yield read_note(path, _LIFTING) if _LIFT in path.name else read_note(path, _ERASURE)
        except StoreError as error:
            raise StoreError(
                f"{error} The videos that it lists could be indexed again: move the file away, then repeat the erasure "
                "with the same rule."
            ) from error

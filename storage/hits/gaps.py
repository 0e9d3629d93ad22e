"""What each archive held when it was last indexed, and what is missing from it: one small file for each archive."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter

from storage.disk.addresses import is_address, to_address
from storage.disk.layout import StoreLayout
from storage.disk.leftovers import remove_path
from storage.disk.notes import Utc, find_note, write_note
from storage.hits.tables import GAPS, record_row
from storage.shards.schema import clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRecord:
    """A time of which an archive has no recording of a camera."""

    archive: str
    camera: str
    kind: str  # "hole", "silent", "camera gone" or "archive empty"
    start_utc: Utc
    stop_utc: Utc | None  # None: it lasts
    found_utc: Utc  # when it was first found

    @property
    def seconds(self) -> float | None:
        """Its length; None while it lasts."""
        return (self.stop_utc - self.start_utc).total_seconds() if self.stop_utc else None

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What makes it the same gap in a later run."""
        return self.camera, self.kind, self.start_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveNote:
    """One archive as its last index run found it."""

    archive: str
    seen_utc: Utc  # when it last had a video
    cameras: Mapping[str, int] = field(default_factory=dict)  # number of videos
    gaps: tuple[GapRecord, ...] = field(default=(), repr=False)


_NOTE = TypeAdapter(ArchiveNote)


def name_archive(archive: Path) -> str:
    """The name of an archive in notes and tables: its absolute path, or its address."""
    if is_address(archive):
        return clean_text(to_address(archive))
    return clean_text(os.path.abspath(archive))  # noqa: PTH100 - links stay, as the user knows the archive by them


def read_archive_note(layout: StoreLayout, archive: Path) -> ArchiveNote | None:
    """What is noted about an archive; None if nothing is, or the note is damaged."""
    return find_note(_path(layout, name_archive(archive)), _NOTE)


def read_other_notes(layout: StoreLayout, archive: Path) -> list[ArchiveNote]:
    """What is noted about all other archives."""
    return [note for note in _read_notes(layout) if note.archive != name_archive(archive)]


def remove_archive_note(layout: StoreLayout, note: ArchiveNote) -> None:
    """Forgets an archive with its gaps; nothing of its footage.

    Raises:
        StoreError: If the note can't be removed.
    """
    remove_path(_path(layout, note.archive))


def list_archives(layout: StoreLayout) -> tuple[str, ...]:
    """The archives that were indexed into a store, the one seen last first."""
    return tuple(note.archive for note in sorted(_read_notes(layout), key=lambda note: note.seen_utc, reverse=True))


def write_archive_note(layout: StoreLayout, note: ArchiveNote) -> None:
    """Saves the note on an archive, replacing the last one.

    Raises:
        StoreError: If it can't be written.
    """
    write_note(layout, _path(layout, note.archive), note)


def read_gaps_table(layout: StoreLayout) -> pa.Table:
    """The gaps of all archives as an Arrow table; times are UTC without a zone."""
    return GAPS.to_arrow(record_row(GAPS, gap) for note in _read_notes(layout) for gap in note.gaps)


def _read_notes(layout: StoreLayout) -> list[ArchiveNote]:
    notes = (find_note(path, _NOTE) for path in sorted(layout.archives.glob("*.json")))
    return [note for note in notes if note]


def _path(layout: StoreLayout, archive: str) -> Path:
    return layout.archives / f"{hashlib.sha256(archive.encode()).hexdigest()[:32]}.json"

"""Videos that can't be read, with the reason and how often it was tried: one small JSON file each.

A video is left out of later runs until it is asked for again, at most so many times, or until its file has changed.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, guarded, replace_file
from storage.disk.layout import StoreLayout, encode_name
from storage.shards.schema import require_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """One video that could not be read."""

    video_id: str
    pipeline_digest: str
    path: str  # relative to the archive
    camera: str
    size_bytes: int
    reason: str
    tries: int
    first_utc: datetime
    last_utc: datetime
    modified_ns: int = 0  # time of the file that was tried, nanoseconds since 1970; 0 where it is not known

    def is_due(self, modified_ns: int | None, *, retry: bool, max_tries: int) -> bool:
        """Whether it is to be tried again.

        Args:
            modified_ns: Time of the file as it is now; None where there is no such file.
            retry: Whether somebody asks for another try.
            max_tries: Tries after which asking is of no use.
        """
        return self.has_changed(modified_ns) or (retry and self.tries < max_tries)

    def has_changed(self, modified_ns: int | None) -> bool:
        """Whether the file is not the one that was tried; where either time is unknown it is taken to be."""
        return bool(modified_ns and self.modified_ns and modified_ns != self.modified_ns)


def record_quarantine(layout: StoreLayout, entry: QuarantineEntry) -> QuarantineEntry:
    """Notes one more failed try; an older note of the same video adds its tries, if of the same bytes, and first time.

    Raises:
        StoreError: If it can't be written.
    """
    path = _path(layout, entry.pipeline_digest, entry.video_id)
    old = _read(path)
    if old is not None:
        before = 0 if old.has_changed(entry.modified_ns) else old.tries
        entry = replace(entry, tries=before + entry.tries, first_utc=min(old.first_utc, entry.first_utc))
    content = asdict(entry)
    for name in ("first_utc", "last_utc"):
        content[name] = require_utc(name, content[name]).isoformat()
    with guarded("create", path.parent):
        create_directories(path.parent)
    replace_file(path, json.dumps(content, indent=1).encode(), scratch=layout.temporary)
    return entry


def read_quarantine(layout: StoreLayout, pipeline_digest: str | None = None) -> tuple[QuarantineEntry, ...]:
    """Notes of one pipeline, or of all, by path; a note that can't be read is left out."""
    entries = (_read(path) for path in _iter_paths(layout, pipeline_digest))
    return tuple(sorted((entry for entry in entries if entry), key=lambda entry: (entry.path, entry.video_id)))


def clear_quarantine(layout: StoreLayout, pipeline_digest: str, video_id: str) -> bool:
    """Removes the note of one video, for another try or after it succeeded; False where there is none.

    Raises:
        StoreError: If it can't be removed.
    """
    path = _path(layout, pipeline_digest, video_id)
    with guarded("remove", path):
        found = path.exists()
        path.unlink(missing_ok=True)
    return found


def _path(layout: StoreLayout, pipeline_digest: str, video_id: str) -> Path:
    return layout.quarantine / encode_name(pipeline_digest) / f"{encode_name(video_id)}.json"


def _iter_paths(layout: StoreLayout, pipeline_digest: str | None) -> Iterator[Path]:
    if pipeline_digest is None:
        yield from layout.quarantine.glob("*/*.json")
    else:
        yield from (layout.quarantine / encode_name(pipeline_digest)).glob("*.json")


def _read(path: Path) -> QuarantineEntry | None:
    try:
        with guarded("read", path):
            content = json.loads(path.read_text(encoding="utf-8"))
        for name in ("first_utc", "last_utc"):
            content[name] = datetime.fromisoformat(content[name])
        return QuarantineEntry(**content)
    except (StoreError, ValueError, TypeError, KeyError):
        return None

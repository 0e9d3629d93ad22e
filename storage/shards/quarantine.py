"""Videos that can't be read, with the reason and the number of tries: one small JSON file for each.

Later runs leave such a video out until its file changes or another try is asked for. The number of tries is limited.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from storage.disk.layout import StoreLayout, encode_name
from storage.disk.leftovers import remove_path
from storage.disk.notes import Utc, find_note, write_note


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
    first_utc: Utc
    last_utc: Utc
    modified_ns: int = 0  # modification time of the file that was tried, nanoseconds since 1970; 0 if unknown

    def is_due(self, modified_ns: int | None, *, retry: bool, max_tries: int) -> bool:
        """Whether the video should be tried again: its file has changed, or the user asks and may still."""
        return self.has_changed(modified_ns) or (retry and self.tries < max_tries)

    def has_changed(self, modified_ns: int | None) -> bool:
        """Whether the file has changed since it was tried; False if either time is unknown."""
        return bool(modified_ns and self.modified_ns and modified_ns != self.modified_ns)


_ENTRY = TypeAdapter(QuarantineEntry)


def record_quarantine(layout: StoreLayout, entry: QuarantineEntry) -> QuarantineEntry:
    """Records a failed try; returns the entry as written.

    An earlier entry for the video keeps its first time and, unless the file has changed since, adds its tries.

    Raises:
        StoreError: If it can't be written.
    """
    path = _path(layout, entry.pipeline_digest, entry.video_id)
    old = find_note(path, _ENTRY)
    if old is not None:
        earlier_tries = 0 if old.has_changed(entry.modified_ns) else old.tries
        entry = replace(entry, tries=earlier_tries + entry.tries, first_utc=min(old.first_utc, entry.first_utc))
    write_note(layout, path, entry)
    return entry


def read_quarantine(layout: StoreLayout, pipeline_digest: str | None = None) -> tuple[QuarantineEntry, ...]:
    """Entries of one pipeline, or of all, sorted by path; unreadable ones are left out."""
    folder = "*" if pipeline_digest is None else encode_name(pipeline_digest)
    entries = (find_note(path, _ENTRY) for path in layout.quarantine.glob(f"{folder}/*.json"))
    return tuple(sorted((entry for entry in entries if entry), key=lambda entry: (entry.path, entry.video_id)))


def correct_cameras(layout: StoreLayout, entries: Iterable[QuarantineEntry], name: Callable[[str, str], str]) -> None:
    """Writes entries again whose camera is called otherwise now; ``name`` takes the path and the old name.

    Raises:
        StoreError: If one can't be written.
    """
    for entry in entries:
        camera = name(entry.path, entry.camera)
        if camera != entry.camera:
            write_note(layout, _path(layout, entry.pipeline_digest, entry.video_id), replace(entry, camera=camera))


def clear_quarantine(layout: StoreLayout, pipeline_digest: str, video_id: str) -> None:
    """Removes the entry of one video, if there is one: for another try, or after a successful one.

    Raises:
        StoreError: If it can't be removed.
    """
    remove_path(_path(layout, pipeline_digest, video_id))


def _path(layout: StoreLayout, pipeline_digest: str, video_id: str) -> Path:
    return layout.quarantine / encode_name(pipeline_digest) / f"{encode_name(video_id)}.json"

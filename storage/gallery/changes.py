"""Whether what a gallery was opened from has changed since; reads names and times, no content."""

from pathlib import Path

from storage.disk.layout import MANIFEST_FILE, StoreLayout
from storage.gallery.compacted import indexes_dir
from storage.gallery.opening import iter_shard_dirs

GalleryStamp = tuple[tuple[str, int, int], ...]


def gallery_stamp(layout: StoreLayout, pipeline_digest: str) -> GalleryStamp:
    """A value that changes when a shard of the pipeline, or a compacted index of it, is added, replaced or removed.

    Take it before the gallery is opened: what changes in between then counts as a change.
    """
    manifests = [directory / MANIFEST_FILE for directory in iter_shard_dirs(layout, pipeline_digest)]
    return tuple(map(_mark, [*manifests, *sorted(indexes_dir(layout, pipeline_digest).glob("*"))]))


def _mark(path: Path) -> tuple[str, int, int]:
    """A path, and what tells its present file from another one of the same name; zeros if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_ino, found.st_mtime_ns

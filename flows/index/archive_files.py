"""Finds the video files of an archive by their names; links that leave the archive are ignored."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from anomalylmm.errors import ArchiveError

VIDEO_SUFFIXES = frozenset(  # one line is easier to read
    ".3gp .asf .avi .flv .h264 .h265 .hevc .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .ts .vob .webm .wmv".split()
)


def iter_video_paths(archive: Path, unreadable: list[tuple[str, str]] | None = None) -> Iterator[Path]:
    """Yields the videos in order: in each folder first its files, then its subfolders, both sorted by name.

    Args:
        archive: The folder.
        unreadable: Receives each folder that can't be listed, with the reason.

    Raises:
        ArchiveError: The path is not an existing folder.
    """
    if not archive.is_dir():
        raise ArchiveError(f"the archive {str(archive)!r} is not a folder; give the folder that contains the videos")
    inside = os.path.realpath(archive)
    waiting = [archive]  # no recursion, because folders may be nested deeper than Python's stack allows
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if unreadable is not None:
                unreadable.append((folder.relative_to(archive).as_posix(), f"the folder can't be listed: {error}"))
            continue
        waiting += [folder / entry.name for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            path = folder / entry.name
            if path.suffix.lower() in VIDEO_SUFFIXES and _is_file_inside(entry, inside):
                yield path


def _is_file_inside(entry: os.DirEntry[str], inside: str) -> bool:
    """Returns whether an entry is a file, or a link to a file inside the archive."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)  # unlike Path.resolve, it accepts circular links
        return os.path.commonpath([target, inside]) == inside and not Path(target).is_dir()
    return not entry.is_dir()


def path_id(relative: str) -> str:
    """Returns an id made from the path, for a file whose content can't be read."""
    return hashlib.sha256(b"anomalylmm path " + os.fsencode(relative)).hexdigest()[:32]

"""Which files of an archive are videos by their names; reads names only, follows no link out of the archive."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from anomalylmm.errors import ArchiveError

VIDEO_SUFFIXES = frozenset(  # a line, as people read it
    ".3gp .asf .avi .flv .h264 .h265 .hevc .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .ts .vob .webm .wmv".split()
)


def iter_video_paths(archive: Path, unreadable: list[tuple[str, str]] | None = None) -> Iterator[Path]:
    """Walks the archive, files of a folder before its folders, both by name; follows no link out of it.

    Args:
        archive: The folder.
        unreadable: Takes the folders that can't be listed, each with the reason.

    Raises:
        ArchiveError: The folder does not exist or is no folder.
    """
    if not archive.is_dir():
        raise ArchiveError(f"the archive {str(archive)!r} is not a folder; name the folder that holds the videos")
    inside = os.path.realpath(archive)
    waiting = [archive]  # a list and no recursion: folders may be nested deeper than Python calls
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if unreadable is not None:
                unreadable.append((folder.relative_to(archive).as_posix(), f"a folder that can't be listed: {error}"))
            continue
        waiting += [folder / entry.name for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            path = folder / entry.name
            if path.suffix.lower() in VIDEO_SUFFIXES and _is_file_inside(entry, inside):
                yield path


def _is_file_inside(entry: os.DirEntry[str], inside: str) -> bool:
    """Whether an entry is no folder and, as a link, leads to nothing outside the archive."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)  # unlike Path.resolve, it bears links that go in circles
        return os.path.commonpath([target, inside]) == inside and not Path(target).is_dir()
    return not entry.is_dir()


def path_id(relative: str) -> str:
    """Identifies a file by its path, where its content can't be read."""
    return hashlib.sha256(b"anomalylmm path " + os.fsencode(relative)).hexdigest()[:32]

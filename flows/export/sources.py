"""Finds the source videos of hits in an archive, by place and, where they were moved, by content."""

from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath

from anomalylmm.errors import ArchiveError, VideoError
from flows.index.archive_files import list_archive
from flows.index.content import content_digest
from storage.disk.files import sha256_file


class Sources:
    """The videos of one archive; each is looked for and digested once."""

    def __init__(self, archive: Path | None) -> None:
        """Remembers the archive.

        Raises:
            ArchiveError: It is no folder.
        """
        if archive is not None and not archive.is_dir():
            raise ArchiveError(f"the archive {str(archive)!r} is not a folder; name the folder that holds the videos")
        self._archive = archive
        self._found: dict[str, Path | str] = {}
        self._digests: dict[Path, str] = {}

    def find(self, video_id: str, path: str, size_bytes: int | None) -> Path:
        """Finds the file with a video's content.

        Raises:
            VideoError: It is not there, or what is there has another content.
        """
        if video_id not in self._found:
            self._found[video_id] = self._look(video_id, path, size_bytes)
        found = self._found[video_id]
        if isinstance(found, str):
            raise VideoError(found)
        return found

    def sha256(self, path: Path) -> str:
        """Hex digest of a source's whole content.

        Raises:
            OSError: It can't be read.
        """
        if path not in self._digests:
            self._digests[path] = sha256_file(path)
        return self._digests[path]

    def _look(self, video_id: str, path: str, size_bytes: int | None) -> Path | str:
        if self._archive is None:
            return "no archive was named, so there is no clip; name the folder that was indexed"
        place = self._archive / path
        is_there = place.is_file() and _is_inside(path)
        if is_there and video_id in (_digest(place), _digest(place, size_bytes)):  # the latter if it has grown since
            return place
        for other in self._by_size.get(size_bytes, ()):
            if _digest(other) == video_id:
                return other
        if is_there:
            return f"{path} has changed since it was indexed: its digest is {_digest(place)}, not {video_id}"
        return f"{path} is not in the archive {self._archive}, nor is a file with its content"

    @cached_property
    def _by_size(self) -> dict[int | None, list[Path]]:
        sizes: dict[int | None, list[Path]] = defaultdict(list)
        for path in list_archive(self._archive).videos if self._archive else ():
            try:
                sizes[path.stat().st_size].append(path)
            except OSError:
                continue
        return sizes


def _is_inside(path: str) -> bool:
    """Whether a stored path stays in the archive, except by the user's own links."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _digest(path: Path, size_bytes: int | None = None) -> str:
    """The digest of a file's content or of its beginning; empty where it can't be read."""
    try:
        return content_digest(path, size_bytes)
    except OSError:
        return ""

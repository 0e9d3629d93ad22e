"""Finds the source videos of hits in an archive, by place and, where they were moved, by content."""

from collections import defaultdict
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path, PurePosixPath

from anomalylmm.errors import ArchiveError, UnreachedError, VideoError
from flows.archives.copies import Copies
from flows.archives.files import check_archive, read_status
from flows.archives.patience import Patience
from flows.archives.remote import connect
from flows.index.listing.archive_files import list_archive
from flows.index.listing.content import content_digest
from storage.disk.addresses import is_address, to_address
from storage.disk.files import sha256_file


class Sources:
    """The videos of one archive; each is looked for and digested once."""

    def __init__(self, archive: Path | None, copies: Copies, patience: Patience | None = None) -> None:
        """Remembers the archive, what makes local copies of its videos, and which servers the run has given up.

        Raises:
            ArchiveError: It is not a folder, or its address can't be read.
        """
        self._archive, self._copies, self._patience = archive, copies, patience or Patience()
        if archive is not None:
            with self._patience.asking(archive):
                check_archive(archive)
        self._copy: tuple[Path, ExitStack] | None = None  # of which remote file, and what removes it
        self._found: dict[str, Path | str] = {}
        self._digests: dict[Path, str] = {}

    def find(self, video_id: str, path: str, size_bytes: int | None) -> Path:
        """Finds the file with a video's content. Of a remote file it gives a copy, until the next one is asked for.

        Raises:
            UnreachedError: The server fails now, or was given up, so that it is not known.
            VideoError: It is not there, or what is there has another content.
        """
        if self._archive is None or not is_address(self._archive):
            return self._check(self._look_once(video_id, path, size_bytes))
        if self._copy is not None and self._found.get(video_id) == self._copy[0]:
            return self._local
        address = to_address(self._archive / path)
        try:
            with self._patience.asking(self._archive):
                found = self._look_once(video_id, path, size_bytes)
                return self._fetch(found) if isinstance(found, Path) else self._check(found)
        except OSError as error:
            raise UnreachedError(f"{address} can't be read: {error.strerror or error}") from error
        except VideoError:
            raise
        except ArchiveError as error:
            raise UnreachedError(str(error)) from error

    def close(self) -> None:
        """Removes the copy of a remote file."""
        if self._copy is not None:
            self._copy[1].close()
        self._copy = None

    def _fetch(self, path: Path) -> Path:
        if self._copy is None or self._copy[0] != path:
            self.close()
            held = ExitStack()
            self._local = held.enter_context(self._copies.local(path))
            self._copy = path, held
        return self._local

    def sha256(self, path: Path) -> str:
        """Hex digest of a source's whole content.

        Raises:
            OSError: It can't be read.
        """
        if path not in self._digests:
            self._digests[path] = sha256_file(path)
        return self._digests[path]

    def _look_once(self, video_id: str, path: str, size_bytes: int | None) -> Path | str:
        if video_id not in self._found:
            self._found[video_id] = self._look(video_id, path, size_bytes)
        return self._found[video_id]

    @staticmethod
    def _check(found: Path | str) -> Path:
        if isinstance(found, str):
            raise VideoError(found)
        return found

    def _look(self, video_id: str, path: str, size_bytes: int | None) -> Path | str:
        if self._archive is None:
            return "no archive was named, so there is no clip; name the folder that was indexed"
        place = self._archive / path
        is_there = _is_inside(path) and _is_there(place)
        if is_there and video_id in (_digest(place), _digest(place, size_bytes)):  # the latter if it has grown since
            return place
        for other in self._by_size.get(size_bytes, ()):
            if _digest(other) == video_id:
                return other
        if is_there:
            return f"{path} has changed since it was indexed: its digest is {_digest(place)}, not {video_id}"
        return f"{path} is not in the archive {to_address(self._archive)}, nor is a file with its content"

    @cached_property
    def _by_size(self) -> dict[int | None, list[Path]]:
        sizes: dict[int | None, list[Path]] = defaultdict(list)
        for path in list_archive(self._archive).videos if self._archive else ():
            try:
                sizes[read_status(path).size_bytes].append(path)
            except OSError:
                continue
        return sizes


def _is_inside(path: str) -> bool:
    """Whether a stored path stays in the archive, except by the user's own links."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _is_there(path: Path) -> bool:
    """Whether there is a file; raises if its server does not tell."""
    if not is_address(path):
        return path.is_file()
    remote = connect(path)
    try:
        remote.status(path)
    except FileNotFoundError:
        return False
    return not remote.is_folder(path)


def _digest(path: Path, size_bytes: int | None = None) -> str:
    """The digest of a file's content or of its beginning; empty where it can't be read, unless its server fails."""
    try:
        return content_digest(path, size_bytes)
    except OSError as error:
        if is_address(path) and not isinstance(error, FileNotFoundError):
            raise
        return ""

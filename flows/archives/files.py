"""Reads files of an archive by path, whether it is a folder or an address."""

import errno
import stat
from collections.abc import Sequence
from pathlib import Path

from anomalylmm.errors import ArchiveError
from flows.archives.remote import FileStatus, connect
from storage.disk.addresses import is_address, to_address


def read_status(path: Path) -> FileStatus:
    """Gives the size of a file, and when it was changed.

    Raises:
        OSError: It is not there, or its server does not answer.
    """
    if is_address(path):
        return connect(path).status(path)
    found = path.stat()
    return FileStatus(size_bytes=found.st_size, modified_ns=found.st_mtime_ns)


def read_pieces(path: Path, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
    """Reads pieces of a file, each from an offset up to another one; of a local file less if it ends before.

    Raises:
        OSError: It can't be read, or is a pipe or device, which may never end.
    """
    if is_address(path):
        return connect(path).read(path, pieces)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file but a pipe, socket or device")
    found = []
    with path.open("rb") as stream:
        for start, stop in pieces:
            stream.seek(start)
            found.append(stream.read(stop - start))
    return found


def read_head(path: Path, num_bytes: int) -> bytes:
    """Reads the beginning of a file.

    Raises:
        OSError: It can't be read.
    """
    return read_pieces(path, [(0, min(num_bytes, read_status(path).size_bytes))])[0]


def forget_statuses(archive: Path) -> None:
    """Forgets what the last listing of a remote archive said of its files.

    Raises:
        ArchiveError: The address can't be used.
    """
    if is_address(archive):
        connect(archive).forget()


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False also if its server does not answer.

    Raises:
        ArchiveError: The address can't be used.
    """
    if not is_address(path):
        return path.is_dir()
    try:
        return connect(path).is_folder(path)
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file; False also if its server does not answer."""
    if not is_address(path):
        return path.is_file()
    try:
        connect(path).status(path)
    except OSError:
        return False
    return not is_folder(path)


def has_entries(folder: Path) -> bool:
    """Whether anything is in a folder; also if that can't be found out."""
    try:
        if is_address(folder):
            return connect(folder).is_folder(folder)
        return next(folder.iterdir(), None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ArchiveError):
        return True


def check_archive(archive: Path) -> None:
    """Checks that an archive is there.

    Raises:
        ArchiveError: It is not a folder, or its address can't be used or reached.
    """
    if not is_address(archive):
        if not archive.is_dir():
            raise ArchiveError(
                f"the archive {str(archive)!r} is not a folder; give the folder that contains the videos"
            )
        return
    try:
        if connect(archive).is_folder(archive):
            return
    except OSError as error:
        raise cannot_list(archive, error) from error
    raise cannot_list(archive, FileNotFoundError(errno.ENOENT, "there is no such folder or bucket"))


def cannot_list(archive: Path, error: OSError) -> ArchiveError:
    """The error of an address that can't be read."""
    return ArchiveError(f"the archive {to_address(archive)!r} can't be read: {error.strerror or error}")

"""Durable writing of files and directories, and their digests. Knows nothing of shards or hits."""

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach

_NO_INODES = "The disk has no inodes left (see df -i): remove files, then run again. What is published stays valid."
_FEW_INODES = 16  # cleaning up after the error frees some before we look
_FREE_BYTES = 1 << 20  # some file systems create inodes from free space, so a full disk has neither
_NO_LOCKS = (
    "This file system has no locks, without which two runs could spoil the store: mount it with locks "
    "(NFS: version 4, or a running lockd), or put the store on a local disk."
)
_REMEDIES = {
    errno.ENOSPC: "Free space on this disk, then run again: what is published stays valid.",
    errno.EDQUOT: "Free some of your disk quota, then run again: what is published stays valid.",
    errno.EACCES: "Give this user write permission there, or choose another store.",
    errno.EPERM: "Give this user write permission there, or choose another store.",
    errno.EFBIG: "Allow larger files (ulimit -f, or the file system's own limit), then run again.",
    errno.EROFS: "The file system is read-only: mount it writable, or choose another store.",
    **dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS), _NO_LOCKS),
}


@contextmanager
def guarded(action: str, path: Path) -> Iterator[None]:
    """Turns errors of the operating system into ours.

    Raises:
        StoreError: In place of an OSError, with the action, the path and a remedy.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = find_remedy(reason, path) or "Check the disk and the path, then run again."
        raise StoreError(f"Can't {action} {path}: {reason}. {remedy}") from error


def find_remedy(text: str, path: Path) -> str:
    """What to do about an error message that quotes the operating system; empty if it quotes none we know."""
    number = next((number for number in _REMEDIES if os.strerror(number).lower() in text.lower()), 0)
    if number == errno.ENOSPC and _lacks_inodes(path):
        return _NO_INODES
    return _REMEDIES.get(number, "")


def _lacks_inodes(path: Path) -> bool:
    """Whether the file system is out of inodes, which the system also reports as a lack of space."""
    folder = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    state = os.statvfs(folder)
    has_space = state.f_bavail * state.f_frsize >= _FREE_BYTES
    return has_space and state.f_files > 0 and state.f_favail < _FEW_INODES


def unique_name(stem: str) -> str:
    """A name beginning with ``stem`` that no other process uses."""
    return f"{stem}.{os.getpid()}.{secrets.token_hex(4)}"


def fsync_path(path: Path) -> None:
    """Flushes a file's content, or a directory's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_directories(*paths: Path) -> None:
    """Creates directories and their missing parents, durably.

    Raises:
        StoreError: If one can't be created.
    """
    for path in paths:
        with guarded("create", path):
            missing = takewhile(lambda folder: not folder.is_dir(), (path, *path.parents))
            for folder in reversed(list(missing)):
                folder.mkdir(exist_ok=True)
                fsync_path(folder.parent)


def write_last(path: Path, text: str, crash_point: str) -> None:
    """Writes the file that makes a folder valid, durably; what else belongs to the folder is on the disk already.

    Raises:
        StoreError: If it can't be written.
    """
    with guarded("write", path):
        path.write_text(text, encoding="utf-8")
        fsync_path(path)
        fsync_path(path.parent)
    reach(crash_point)


def put_in_place(built: Path, final: Path, crash_point: str) -> None:
    """Moves a finished file to its final place on the same file system, durably and in one step.

    The ``crash_point`` is reached when the content is on the disk, just before the move.
    """
    fsync_path(built)
    reach(crash_point)
    built.replace(final)
    fsync_path(final.parent)


def replace_file(path: Path, content: bytes, *, scratch: Path) -> None:
    """Writes ``content`` to ``path`` completely or not at all; ``scratch`` is a folder on the same file system.

    Raises:
        StoreError: If it can't be written.
    """
    building = scratch / unique_name(path.name)
    with guarded("write", path):
        try:
            building.write_bytes(content)
            put_in_place(building, path, "file.written")
        finally:
            building.unlink(missing_ok=True)
    reach("file.replaced")


def read_stamp(path: Path) -> tuple[int, int, int]:
    """What tells the file or folder at a path from another of the same name, or of another time; zeros if missing."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def sha256_file(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(content: Any) -> str:
    """Hex digest of ``content`` by its JSON text with sorted keys, ASCII only; lone surrogates survive."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""Durable writing of files and directories, and their digests. Knows nothing of shards or hits."""

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach

_NO_INODES = "The disk has no inodes left (see df -i): remove files, then run again. What is published stays valid."
_FEW_INODES = 16  # taking back what was begun frees some before the error is told
_ROOM_BYTES = 1 << 20  # some file systems make inodes of free room, so that a full one has none either
_REMEDIES = {
    errno.ENOSPC: "Free space on this disk, then run again: what is published stays valid.",
    errno.EDQUOT: "Free some of your disk quota, then run again: what is published stays valid.",
    errno.EACCES: "Give this user the right to write there, or choose another store.",
    errno.EPERM: "Give this user the right to write there, or choose another store.",
    errno.EFBIG: "Allow larger files (ulimit -f, or the file system's own limit), then run again.",
    errno.EROFS: "The file system is read-only: mount it writable, or choose another store.",
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
        remedy = _remedy(error.errno, path) or "Check the disk and the path, then run again."
        raise StoreError(f"Can't {action} {path}: {error.strerror or error}. {remedy}") from error


def find_remedy(text: str, path: Path) -> str:
    """What to do where a library's message quotes the operating system; empty where it does not."""
    quoted = (number for number in _REMEDIES if os.strerror(number).lower() in text.lower())
    return _remedy(next(quoted, None), path)


def _remedy(number: int | None, path: Path) -> str:
    if number == errno.ENOSPC and _lacks_inodes(path):
        return _NO_INODES
    return _REMEDIES.get(number or 0, "")


def _lacks_inodes(path: Path) -> bool:
    """Whether the file system is out of inodes, which the system also calls a lack of space."""
    there = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    state = os.statvfs(there)
    has_room = state.f_bavail * state.f_frsize >= _ROOM_BYTES
    return has_room and state.f_files > 0 and state.f_favail < _FEW_INODES


def unique_name(stem: str) -> str:
    """A name beginning with ``stem`` that no other process uses."""
    return f"{stem}.{os.getpid()}.{secrets.token_hex(4)}"


def fsync_path(path: Path) -> None:
    """Puts a file's content, or a directory's entries, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_directories(path: Path) -> None:
    """Creates a directory and its missing parents, durably."""
    if path.is_dir():
        return
    create_directories(path.parent)
    path.mkdir(exist_ok=True)
    fsync_path(path.parent)


def replace_file(path: Path, content: bytes, *, scratch: Path, durable: bool = True) -> None:
    """Puts ``content`` at ``path`` at once or not at all.

    Args:
        path: The file to make or replace.
        content: All of its bytes.
        scratch: A directory on the same file system, where the new file is built.
        durable: Wait until the disk has it; without, a failing machine can leave half of it or the one before.

    Raises:
        StoreError: If it can't be written.
    """
    building = scratch / unique_name(path.name)
    with guarded("write", path):
        try:
            building.write_bytes(content)
            if durable:
                fsync_path(building)
            reach("file.written")
            building.replace(path)
        finally:
            building.unlink(missing_ok=True)
        if durable:
            fsync_path(path.parent)
    reach("file.replaced")


def sha256_file(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(content: Any) -> str:
    """The one JSON text of ``content``: sorted keys, ASCII, no spaces; lone surrogates survive."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_json(content: Any) -> str:
    """Hex digest of ``content`` by its canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()

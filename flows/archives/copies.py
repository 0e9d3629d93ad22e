"""Copies of remote videos on the local disk, while they are needed: the decoder that may be killed needs a file.

All processes of a user share one folder and its limit. Each copy has a folder of its own, locked as long as its
process needs it; what a killed process left behind is removed when the next one makes a copy.
"""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from flows.archives.asking import say
from flows.archives.remote import connect
from storage.disk.addresses import is_address
from storage.disk.files import unique_name
from storage.disk.leftovers import locked_directory, remove_path
from storage.disk.locks import waiting_lock
from storage.disk.orphans import is_locked

PIECE_BYTES = 8 << 20
POLL_SECONDS = 0.5
CHANGED = "it has changed since it was listed; a later run reads it"
MAX_WAIT_SECONDS = 3600.0  # for room that other copies take


class Copies:
    """Makes local copies below a folder, which together never need more than ``max_bytes``."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._root, self._max_bytes = folder / f"anomalylmm-{os.getuid()}", max_bytes

    @contextmanager
    def local(self, path: Path) -> Iterator[Path]:
        """Gives a local file with a video's content; a copy is removed at the end.

        Raises:
            OSError: It can't be copied, changed meanwhile, or there is no room for it.
        """
        if not is_address(path):
            yield path
            return
        remote = connect(path)
        status = remote.status(path)
        with ExitStack() as stack:
            copy = self._reserve(stack, status.size_bytes, path.suffix)
            with copy.open("r+b") as stream:
                for piece in remote.iter_content(path, status.size_bytes, PIECE_BYTES):
                    stream.write(piece)
            if remote.status(path, fresh=True) != status:
                raise OSError(errno.ESTALE, CHANGED)
            yield copy

    def _reserve(self, stack: ExitStack, size_bytes: int, suffix: str) -> Path:
        """Waits until the limit allows another copy, and takes its room on the disk."""
        if size_bytes > self._max_bytes:
            raise OSError(
                errno.EFBIG,
                f"it has {size_bytes / 2**30:.1f} GiB, more than copies may have; raise archive.scratch_gib",
            )
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while True:
            self._check_root()
            with waiting_lock(self._root / "lock"):
                self._remove_leftovers()
                if self._used_bytes() + size_bytes <= self._max_bytes:
                    folder = self._root / unique_name("copy")
                    stack.enter_context(locked_directory(folder))
                    return _allocate(folder / f"video{suffix}", size_bytes)
            if time.monotonic() > deadline:
                raise OSError(
                    errno.ETIMEDOUT, f"other copies filled {self._root} for an hour; raise archive.scratch_gib"
                )
            time.sleep(POLL_SECONDS)

    def _check_root(self) -> None:
        """Makes the folder, which others must not read or have prepared."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise OSError(
                errno.EPERM,
                f"{self._root} must be a folder that only this user can open; remove it, or set archive.scratch",
            )

    def _remove_leftovers(self) -> None:
        for folder in self._root.iterdir():
            if folder.is_dir() and not is_locked(folder):
                remove_path(folder)

    def _used_bytes(self) -> int:
        total = 0
        for file in self._root.glob("*/*"):
            with suppress(FileNotFoundError):  # its process has just removed it
                total += file.stat().st_size
        return total


def _allocate(path: Path, size_bytes: int) -> Path:
    with path.open("wb") as stream:
        if size_bytes:
            try:
                os.posix_fallocate(stream.fileno(), 0, size_bytes)
            except OSError as error:
                text = f"there is no room for a copy of {size_bytes / 2**20:.0f} MiB in {path.parents[1]}: {say(error)}"
                raise OSError(error.errno, f"{text}; free space, or set archive.scratch") from error
    return path

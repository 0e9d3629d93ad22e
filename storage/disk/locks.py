"""Locks between processes, by flock: the kernel frees them when their process ends, however it ends."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreBusyError
from storage.disk.files import guarded

_held: set[int] = set()  # descriptors; a forked child closes its copies, or it would keep a dead parent's locks


def _close_inherited() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_inherited)


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Holds the lock file ``path``, or fails at once.

    Raises:
        StoreBusyError: If another process holds it; names the process and since when.
        StoreError: If the lock file can't be opened, or the file system has no locks.
    """
    descriptor = _open(path)
    if not acquire(descriptor):
        os.close(descriptor)
        raise StoreBusyError(f"Another writer is at work: {_describe_holder(path)}. Wait for it to end, or stop it.")
    try:
        with guarded("write lock", path):
            _write_holder(descriptor)
        yield
    finally:
        release(descriptor)


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Holds the lock file ``path``, waiting for it if necessary; only for work that takes moments.

    Raises:
        StoreError: If the lock file can't be opened, or the file system has no locks.
    """
    descriptor = _open(path)
    _flock(descriptor, fcntl.LOCK_EX)
    _held.add(descriptor)
    try:
        yield
    finally:
        release(descriptor)


def acquire(descriptor: int) -> bool:
    """Locks an open file or directory without waiting; False if another process holds it.

    Raises:
        StoreError: If the file system has no locks; the descriptor is closed.
    """
    locked = _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if locked:
        _held.add(descriptor)
    return locked


def _flock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError as error:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        os.close(descriptor)
        with guarded("lock", path):
            raise error
    return True


def release(descriptor: int) -> None:
    """Unlocks and closes; a descriptor that a fork has already closed is left alone."""
    if descriptor in _held:
        _held.discard(descriptor)
        with suppress(OSError):  # a network file system that was out of reach has freed the lock
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # needed if a child forked just now has not closed its copy yet
        with suppress(OSError):
            os.close(descriptor)


def _open(path: Path) -> int:
    with guarded("open lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _describe_holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        if not _has_ended(holder):
            return f"process {int(holder['pid'])} on {holder['host']!r} since {holder['since_utc']}"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return f"a process that has just taken {path.name}"  # and has not written its own id yet


def _has_ended(holder: dict[str, Any]) -> bool:
    if holder["host"] != os.uname().nodename:
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # another user's process
    return False


def _write_holder(descriptor: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": os.uname().nodename, "since_utc": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)

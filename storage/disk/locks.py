"""Locks between processes, by flock: the kernel frees them when their process ends, however it ends."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreBusyError
from storage.disk.files import guarded

_held: set[int] = set()  # descriptors, so that forked children do not keep a dead parent's lock


def _close_inherited() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_inherited)


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Holds the lock file ``path``, or fails at once.

    Raises:
        StoreBusyError: If another holds it, with its process and since when.
        StoreError: If the lock file can't be opened.
    """
    with guarded("open lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if not acquire(descriptor):
        os.close(descriptor)
        raise StoreBusyError(f"Another writer is at work: {describe_holder(path)}. Wait for it to end, or stop it.")
    try:
        with guarded("write lock", path):
            _write_holder(descriptor)
        yield
    finally:
        release(descriptor)


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Holds the lock file ``path``, after waiting for its holder; for what takes moments only.

    Raises:
        StoreError: If the lock file can't be opened.
    """
    with guarded("open lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    _held.add(descriptor)
    try:
        yield
    finally:
        release(descriptor)


def acquire(descriptor: int) -> bool:
    """Locks an open file or directory without waiting; False where another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    _held.add(descriptor)
    return True


def release(descriptor: int) -> None:
    """Unlocks and closes; a descriptor that a fork closed already is left alone."""
    if descriptor in _held:
        _held.discard(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a child, forked a moment ago, has not closed its copy yet
        os.close(descriptor)


def describe_holder(path: Path) -> str:
    """Who holds the lock file, in words."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        if _is_gone(holder):  # it was killed, and whoever holds the lock now has not signed yet
            return f"a process that has just taken {path.name}"
        return f"process {int(holder['pid'])} on {holder['host']!r} since {holder['since_utc']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"a process that has just taken {path.name}"


def _is_gone(holder: dict[str, Any]) -> bool:
    if holder["host"] != os.uname().nodename:
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # of another user
    return False


def _write_holder(descriptor: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": os.uname().nodename, "since_utc": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)

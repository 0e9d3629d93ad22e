"""What processes that have ended left behind in ``temporary``."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from storage.disk.claims import is_claimed
from storage.disk.files import unique_name
from storage.disk.layout import StoreLayout
from storage.disk.locks import acquire, release

CLAIMED_GRACE_SECONDS = 86400.0  # for the folder of a claim: its machine may be out of reach, or its clock wrong


def iter_orphans(layout: StoreLayout, grace_seconds: float) -> Iterator[Path]:
    """Entries of ``temporary`` not touched for ``grace_seconds`` and not held by a running process.

    Of a process on another machine it is not known whether it runs; its folder is left alone for a day.
    """
    if not layout.temporary.is_dir():
        return
    now = read_time(layout.temporary) if grace_seconds else math.inf
    for path in sorted(layout.temporary.iterdir()):
        try:
            age = now - path.lstat().st_mtime
            is_held = is_locked(path) or (is_claimed(layout, path) and _is_recent(layout, path))
            if age >= grace_seconds and not is_held:
                yield path
        except FileNotFoundError:
            continue  # its writer has just published or removed it


def iter_old_claims(layout: StoreLayout) -> Iterator[Path]:
    """Claims of folders that are gone, a day after they were made; younger ones tell what a run has published."""
    now = read_time(layout.temporary) if layout.temporary.is_dir() else 0.0
    for path in sorted((layout.root / "claims").glob("*/*.json")):
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime >= CLAIMED_GRACE_SECONDS and not (layout.temporary / path.stem).exists():
                yield path


def read_time(folder: Path) -> float:
    """The time by the clock of the file system, which may be that of another machine; seconds since 1970."""
    probe = folder / unique_name("time")
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _is_recent(layout: StoreLayout, path: Path) -> bool:
    touched = path.lstat().st_mtime
    try:
        return read_time(layout.temporary) - touched < CLAIMED_GRACE_SECONDS
    except OSError:
        return True  # who may not write here may not remove it either


def is_locked(path: Path) -> bool:
    """Whether a running process holds a folder or file."""
    if path.is_symlink():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    if acquire(descriptor):
        release(descriptor)
        return False
    os.close(descriptor)
    return True

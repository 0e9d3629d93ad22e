"""What processes that have ended left behind in ``temporary``."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from storage.disk.files import guarded
from storage.disk.layout import StoreLayout
from storage.disk.locks import acquire, release


def iter_orphans(layout: StoreLayout, grace_seconds: float) -> Iterator[Path]:
    """Entries of ``temporary`` not touched for ``grace_seconds`` and not locked by a running process."""
    if not layout.temporary.is_dir():
        return
    now = time.time()
    for path in sorted(layout.temporary.iterdir()):
        try:
            age = now - path.lstat().st_mtime
            if age >= grace_seconds and not _is_locked(path):
                yield path
        except FileNotFoundError:
            continue  # its writer has just published or removed it


def remove_path(path: Path) -> None:
    """Removes a file, a link or a whole directory; if it is already gone, nothing happens.

    Raises:
        StoreError: If it can't be removed.
    """
    with guarded("remove", path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_old_catalogs(layout: StoreLayout) -> tuple[Path, ...]:
    """Removes the catalogs of earlier versions, which repeat what manifests say about videos.

    Raises:
        StoreError: If one can't be removed.
    """
    catalogs = layout.root / "catalogs"
    if not catalogs.is_dir():
        return ()
    remove_path(catalogs)
    return (catalogs,)


def count_bytes(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())


def _is_locked(path: Path) -> bool:
    if path.is_symlink():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    if acquire(descriptor):
        release(descriptor)
        return False
    os.close(descriptor)
    return True

"""Folders in ``temporary`` and their removal."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.disk.files import fsync_path, guarded, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.locks import acquire, release


@contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """A new directory in ``temporary``, locked while it is filled; removed afterwards unless it was moved.

    Raises:
        StoreError: If it can't be created.
    """
    with guarded("create", path):
        path.mkdir()
        lock = os.open(path, os.O_RDONLY)
    acquire(lock)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        release(lock)


def move_away(layout: StoreLayout, directory: Path, mark: str) -> Path | None:
    """Moves a directory to ``temporary`` in one step; readers that have its files open keep reading them.

    Returns:
        Its new path, which contains ``mark``; None if it was gone already.

    Raises:
        StoreError: If it can't be moved.
    """
    aside = layout.temporary / unique_name(f"{directory.name}{mark}")
    with guarded("move", directory):
        try:
            directory.rename(aside)
        except FileNotFoundError:
            return None  # another process was quicker
        fsync_path(directory.parent)
    return aside


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

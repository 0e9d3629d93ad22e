"""Tries on a file system what a store relies on: renames, flushes, locks and claims."""

import os
import shutil
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.disk.files import fsync_path, guarded, unique_name
from storage.disk.locks import acquire, release

_MOUNTS = Path("/proc/self/mounts")
_SHARED = ("nfs", "cifs", "smb", "ceph", "gluster", "lustre", "gfs", "ocfs", "beegfs", "fuse", "9p", "afs")


def describe_file_system(folder: Path) -> str:
    """Tries renames, flushes, locks and claims in a folder, and says in one line what was found.

    Raises:
        StoreError: If one of them fails; says which and what to do.
    """
    probe = folder / unique_name("probe")
    with guarded("try renames, flushes, locks and claims in", folder):
        probe.mkdir(parents=True)
        try:
            _try_renames(probe)
            _try_locks(probe)
            _try_claims(probe)
        finally:
            shutil.rmtree(probe, ignore_errors=True)
    kind = kind_of(folder)
    found = f"renames, flushes, locks and claims work on {kind or 'this file system'}"
    if kind.startswith(_SHARED):
        found += "; tried from this machine only: run doctor on each machine that uses the store"
    return found


def _try_renames(folder: Path) -> None:
    built, final = folder / "built", folder / "final"
    built.mkdir()
    (built / "content").write_bytes(b"content")
    fsync_path(built / "content")
    fsync_path(built)
    built.rename(final)
    fsync_path(folder)
    if (final / "content").read_bytes() != b"content":
        raise StoreError(f"A folder that was renamed in {folder} lost its content: put the store on another disk.")


def _try_locks(folder: Path) -> None:
    path = folder / "lock"
    path.touch()
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    try:
        acquire(first)
        if acquire(second):
            release(second)
            raise StoreError(
                f"Locks do nothing on the file system of {folder}: two holders had one lock. Mount it with locks "
                "(NFS: version 4, without nolock or local_lock), or put the store on a local disk."
            )
        os.close(second)
    finally:
        release(first)


def _try_claims(folder: Path) -> None:
    """Tries what claims rely on: new files are listed, a path is renamed once, and a touched folder shows it."""
    claimed = folder / "claimed"
    claimed.mkdir()
    os.utime(claimed, (1, 1))
    before = claimed.stat().st_mtime_ns
    os.utime(claimed)
    is_listed, is_touched = claimed in folder.iterdir(), claimed.stat().st_mtime_ns > before
    claimed.rename(folder / "taken")
    try:
        claimed.rename(folder / "published")
        is_moved_once = False
    except FileNotFoundError:
        is_moved_once = True
    if not (is_listed and is_touched and is_moved_once):
        raise StoreError(
            f"Claims don't work on the file system of {folder}: it lists new files late, keeps no times, or renames "
            "a path twice. Let one machine use the store, or put it on another file system, such as NFS."
        )


def kind_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The kind of file system that holds a folder, such as ``ext4`` or ``nfs4``; empty if the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    places = [(line.split()[1].replace("\\040", " "), line.split()[2]) for line in lines if len(line.split()) > 2]
    holding = [(len(place), kind) for place, kind in places if folder.resolve().is_relative_to(place)]
    return max(holding)[1] if holding else ""

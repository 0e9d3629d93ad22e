"""The place of the one writer of hits: held by a claim, so that another machine can take it over from a dead one."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk.claims import Claim, Holder, Watch, forget, hold, is_open, iter_claims, revoke
from storage.disk.files import create_directories, fsync_path, guarded, read_stamp, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.leftovers import locked_directory

AREA, ITEM = "hits", "hits"
MAX_PAUSE_SECONDS = 2.0  # between two looks at a holder
_NUM_TRIES = 5  # to copy the database while a late writer may be changing it


@contextmanager
def hold_place(layout: StoreLayout, lease_seconds: float) -> Iterator[Claim]:
    """Holds the writer's place. Its folder is for files that replace others: only who holds the place can publish them.

    If the last holder is on another machine and shows no sign of life for ``lease_seconds``, its place is taken over.
    It may come back, so the database is copied to another name first: what it still writes goes to the old file.

    Raises:
        StoreBusyError: If the holder is alive; names it.
        StoreError: If the place can't be taken.
    """
    folder = layout.temporary / unique_name("hits-place")
    create_directories(layout.temporary)
    with locked_directory(folder), hold(layout, AREA, folder, lease_seconds) as claim:
        is_taken_over = False
        while holder := claim.take([ITEM]):
            is_taken_over |= _wait_for_end(layout, holder, Watch(layout, lease_seconds))
        if is_taken_over:
            _move_database(layout, folder)
        forget(layout, AREA, [other.folder for other in iter_claims(layout, AREA) if not is_open(layout, other)])
        yield claim


def _wait_for_end(layout: StoreLayout, holder: Holder, watch: Watch) -> bool:
    """Waits until a holder has ended or is dead; then it is taken over, and the result is True."""
    while (state := watch.look(holder)) == "unknown":
        time.sleep(min(MAX_PAUSE_SECONDS, watch.pause_seconds))
    if state == "alive":
        raise StoreBusyError(f"Another writer is at work: {holder}. Wait for it to end, or stop it.")
    if state == "dead":
        revoke(layout, holder)
    return state == "dead"


def _move_database(layout: StoreLayout, folder: Path) -> None:
    """Copies the database to the next number, and removes the old file from its place."""
    old, new = layout.working, layout.next_working
    if not old.exists():
        return
    log, new_log = (path.with_name(f"{path.name}.wal") for path in (old, new))
    with guarded("take over", old):
        _copy_unchanged([path for path in (log, old) if path.exists()], folder)
        for source, target in ((log, new_log), (old, new)):
            copy = folder / source.name
            if copy.exists():
                fsync_path(copy)
                copy.rename(target)
        fsync_path(new.parent)
        for path in (old, log):
            path.unlink(missing_ok=True)


def _copy_unchanged(paths: list[Path], folder: Path) -> None:
    """Copies files of which none changes meanwhile."""
    for _ in range(_NUM_TRIES):
        before = [read_stamp(path) for path in paths]
        for path in paths:
            shutil.copyfile(path, folder / path.name)
        if before == [read_stamp(path) for path in paths]:
            return
    raise StoreError(f"{paths[-1]} keeps changing: end the programs that write to it, then run again.")

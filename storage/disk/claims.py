"""Claims: who works on what in a store that several machines share. They need no locks and compare no clocks.

The holder of a claim works in a folder of its own in ``temporary``, and publishes by renaming this folder or a file
in it. Whoever takes the work over renames the folder first. A path is renamed only once, so one of the two succeeds.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter

from anomalylmm.errors import LostClaimError, StoreError
from storage.disk.files import create_directories, guarded, unique_name
from storage.disk.layout import StoreLayout, encode_name
from storage.disk.leftovers import move_away, remove_path
from storage.disk.notes import read_note, to_json

LEASE_SECONDS = 120.0  # without a sign of life, after which another machine may take over
REVOKED = ".revoked"  # marks the folder of a holder that was taken over
_LOOKS = 4  # within one lease, so that a machine that slept does not take itself for a patient observer
_BEATS = 8  # within one lease,
_MAX_BEAT_SECONDS = LEASE_SECONDS / _BEATS  # and often enough for observers whose lease is shorter
_SUFFIX = ".json"
_START_FIELD = 19  # of /proc/<pid>/stat, after the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a claim, and on what."""

    folder: str  # its name in ``temporary``
    host: str
    machine: str  # id of the machine; empty if it has none
    boot: str  # id of the machine's start and of the name space of process ids
    pid: int
    process: str  # tells the process from later ones of the same id
    since_utc: str
    items: Annotated[frozenset[str], BeforeValidator(frozenset)] = field(repr=False)
    camera: str = ""
    date: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host!r} since {self.since_utc}"

    @property
    def has_surely_ended(self) -> bool:
        """Whether this machine knows that the process has ended; of other machines' processes it never does."""
        if self.boot == _boot():
            return _process_of(self.pid) != self.process
        return bool(self.machine) and (self.machine, self.host) == (_machine(), os.uname().nodename)


_HOLDER = TypeAdapter(Holder)


class Claim:
    """What one holder has claimed; made by ``hold``."""

    def __init__(self, layout: StoreLayout, area: str, folder: Path) -> None:
        self._layout, self._area, self.folder = layout, area, folder
        self.lost = threading.Event()

    @property
    def path(self) -> Path:
        """The file of the claim."""
        return _area_of(self._layout, self._area) / f"{self.folder.name}{_SUFFIX}"

    def take(self, items: Iterable[str], camera: str = "", date: str = "") -> Holder | None:
        """Claims all items or none.

        Returns:
            None if they are claimed; otherwise another holder of some of them, who may be alive.

        Raises:
            StoreError: If the claim can't be written.
        """
        own = _describe(self.folder.name, frozenset(items), camera, date)
        with guarded("write", self.path):
            create_directories(self.path.parent)
            building = self._layout.temporary / unique_name(self.path.name)
            building.write_bytes(to_json({**_fields(own), "items": sorted(own.items)}))
            building.replace(self.path)
        for other in iter_claims(self._layout, self._area):  # after writing: of two at once, one sees the other
            if other.folder != own.folder and not other.items.isdisjoint(own.items) and is_open(self._layout, other):
                if not other.has_surely_ended:
                    self.withdraw()
                    return other
                revoke(self._layout, other)
        return None

    def check(self) -> None:
        """Checks that nobody has taken over; not for use after publishing.

        Raises:
            LostClaimError: If another run has.
        """
        if not _is_there(self.folder):
            self.lost.set()
            raise LostClaimError(
                f"This run showed no sign of life for too long, because it was paused or cut off from "
                f"{self._layout.root}, and another run has taken over its work. It publishes nothing more. "
                "Run it again to do what is still missing."
            )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Gives errors of the store their true reason if another run has taken the folder away.

        Raises:
            LostClaimError: In place of a StoreError.
        """
        try:
            yield
        except StoreError:
            self.check()
            raise

    def withdraw(self) -> None:
        """Removes the claim; the work itself stays as it is."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def beat(self) -> None:
        """Shows that the holder is alive."""
        try:
            os.utime(self.folder)
        except FileNotFoundError:
            self.lost.set()
        except OSError:
            return  # the file system is out of reach: the next beat tells


@contextmanager
def hold(layout: StoreLayout, area: str, folder: Path, lease_seconds: float = LEASE_SECONDS) -> Iterator[Claim]:
    """A claim by the holder of ``folder``, an existing folder in ``temporary``; it shows signs of life until the end.

    The claim's file stays if the folder was published or taken over.
    """
    claim, ended = Claim(layout, area, folder), threading.Event()
    pause = min(lease_seconds / _BEATS, _MAX_BEAT_SECONDS)
    beats = threading.Thread(target=_beat_until, args=(claim, ended, pause), daemon=True, name="claim")
    beats.start()
    try:
        yield claim
    finally:
        ended.set()
        with suppress(StoreError):
            if _is_there(folder):
                claim.withdraw()


def _beat_until(claim: Claim, ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds) and not claim.lost.is_set():
        claim.beat()


def iter_claims(layout: StoreLayout, area: str) -> Iterator[Holder]:
    """The claims of an area, including those of holders that have ended or published.

    Raises:
        StoreError: If the claim of a folder that is there can't be read.
    """
    folder = _area_of(layout, area)
    with guarded("list", folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        try:
            yield _read(path)
        except StoreError:
            if _is_there(path) and _is_there(layout.temporary / path.stem):
                raise


@lru_cache(maxsize=10_000)
def _read(path: Path) -> Holder:
    return read_note(path, _HOLDER)  # a claim never changes


def is_open(layout: StoreLayout, holder: Holder) -> bool:
    """Whether a holder can still publish: its folder is where it was."""
    return _is_there(layout.temporary / holder.folder)


def _is_there(folder: Path) -> bool:
    with guarded("look at", folder):  # out of reach is not gone
        return folder.exists()


def is_claimed(layout: StoreLayout, folder: Path) -> bool:
    """Whether a folder in ``temporary`` belongs to a claim whose holder may be alive."""
    areas = layout.root / "claims"
    for area in areas.iterdir() if areas.is_dir() else ():
        with suppress(StoreError):
            return not _read(area / f"{folder.name}{_SUFFIX}").has_surely_ended
    return False


def revoke(layout: StoreLayout, holder: Holder) -> None:
    """Takes a holder's folder away, so that it can't publish any more; what it has published stays.

    Raises:
        StoreError: If the folder can't be moved.
    """
    aside = move_away(layout, layout.temporary / holder.folder, REVOKED)
    if aside is not None:
        with suppress(StoreError):  # what is left of it is removed as an orphan
            remove_path(aside)


def forget(layout: StoreLayout, area: str, folders: Iterable[str]) -> None:
    """Removes the claims of folders that were published."""
    for name in folders:
        with suppress(OSError):
            (_area_of(layout, area) / f"{name}{_SUFFIX}").unlink(missing_ok=True)


class Watch:
    """Tells by a lack of change whether holders are alive, whatever the clocks of their machines show."""

    def __init__(self, layout: StoreLayout, lease_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._layout, self._lease_seconds, self._now = layout, lease_seconds, now
        self._seen: dict[str, tuple[tuple[int, int], float, float, int]] = {}

    @property
    def pause_seconds(self) -> float:
        """Time between two looks."""
        return self._lease_seconds / _LOOKS

    def look(self, holder: Holder) -> Literal["ended", "alive", "unknown", "dead"]:
        """Looks at a holder once: it has ended, has shown a sign of life, has not yet, or has not for a whole lease."""
        if holder.has_surely_ended:
            return "dead" if is_open(self._layout, holder) else "ended"
        try:
            state = (self._layout.temporary / holder.folder).stat()
        except FileNotFoundError:
            return "ended"
        except OSError:
            return "unknown"  # the observer is cut off: this is no look
        stamp, now = (state.st_mtime_ns, state.st_ctime_ns), self._now()
        known = self._seen.get(holder.folder)
        if known is None or known[0] != stamp:
            self._seen[holder.folder] = (stamp, now, now, 0)
            return "alive" if known else "unknown"
        _, since, last, looks = known
        if now - last >= self.pause_seconds * 0.9:
            looks, last = looks + 1, now
        self._seen[holder.folder] = (stamp, since, last, looks)
        return "dead" if looks >= _LOOKS and now - since >= self._lease_seconds else "unknown"


def _area_of(layout: StoreLayout, area: str) -> Path:
    return layout.root / "claims" / encode_name(area)


def _fields(holder: Holder) -> dict[str, object]:
    return {name: getattr(holder, name) for name in Holder.__dataclass_fields__}


def _describe(folder: str, items: frozenset[str], camera: str, date: str) -> Holder:
    return Holder(
        folder=folder,
        host=os.uname().nodename,
        machine=_machine(),
        boot=_boot(),
        pid=os.getpid(),
        process=_process_of(os.getpid()),
        since_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        items=items,
        camera=camera,
        date=date,
    )


def _boot() -> str:
    """The machine's start, and the name space in which its process ids count."""
    return f"{_text('/proc/sys/kernel/random/boot_id')} {Path('/proc/self/ns/pid').readlink()}"


def _machine() -> str:
    return _text("/etc/machine-id")


def _process_of(pid: int) -> str:
    """When a process started, in ticks since the machine's start; empty if it has ended."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()  # the name before may contain anything
    return fields[_START_FIELD] if len(fields) > _START_FIELD and fields[0] not in "ZX" else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

"""No room, no inodes, no right to write, too little memory: the message, and what is left of the store."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import jobs
from tests.faults.content import compare, iter_wrong
from tests.faults.disk.jobs import small_files, small_memory
from tests.faults.forks import Job, Outcome, one, try_all
from tests.faults.forks import run as run_jobs
from tests.faults.ledger import Ledger
from tests.faults.phases import Phase, build_main_phases

DISK_BYTES = 48 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that can be missing."""

    name: str
    words: tuple[str, ...]  # one of them must be in the message
    amounts: Mapping[str, Sequence[int]]  # phase to how much there is
    short: Mapping[str, Sequence[int]]
    make: Callable[[Path, int], Any] | None = None  # on a mounted disk; gives how to end it by a context manager
    limit: Callable[..., Any] | None = None  # what does a job under a limit instead
    must_say: bool = True  # memory may run out in a library that ends the process

    @property
    def needs_mount(self) -> bool:
        """Whether it is made on a disk of its own."""
        return self.make is not None and self.make is not _no_right


def run(scratch: Path, *, short: bool) -> Ledger:
    """Runs index and sweep with each trouble in several amounts; what needs a mount and can't have it is skipped."""
    ledger, can_mount = Ledger(), _can_mount(scratch)
    cases = [
        (trouble, phase, amount)
        for phase in build_main_phases(scratch)
        for trouble in TROUBLES
        for amount in (trouble.short if short else trouble.amounts)[phase.name]
        if can_mount or not trouble.needs_mount
    ]
    try_all(enumerate(cases), lambda item: Attempt(*item[1], scratch / f"case-{item[0]}", ledger).play())
    if not can_mount:
        names = ", ".join(trouble.name for trouble in TROUBLES if trouble.needs_mount)
        ledger.note(f"skipped, since mounting a tmpfs needs root: {names}")
    return ledger


def _can_mount(scratch: Path) -> bool:
    place = scratch / "mounted"
    place.mkdir()
    try:
        with _mounted(place, "size=1m"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


@contextmanager
def _full(disk: Path, num_bytes: int) -> Iterator[None]:
    """Leaves so many bytes free."""
    state = os.statvfs(disk)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, state.f_bavail * state.f_frsize - num_bytes))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _no_inodes(disk: Path, number: int) -> Iterator[None]:
    """Leaves so many inodes free."""
    folder = disk / "many"
    folder.mkdir()
    for index in range(os.statvfs(disk).f_favail - number):
        (folder / str(index)).touch()
    try:
        yield
    finally:
        shutil.rmtree(folder)


@contextmanager
def _read_only(disk: Path, _: int) -> Iterator[None]:
    """Takes the right to write from the whole file system, since the rights of folders do not hold for root."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True, capture_output=True)


@contextmanager
def _no_right(disk: Path, _: int) -> Iterator[None]:
    """Takes the right to write from every folder."""
    folders = [disk, *(path for path in disk.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


KB, MB = 1 << 10, 1 << 20
TROUBLES = (
    Trouble(
        name="room on the disk",
        words=("No space left on device. Free space",),
        make=_full,
        amounts={
            "index": [KB * n for n in range(0, 84, 4)],
            "sweep": [KB * n for n in (0, 16, 32, 64, 80, 96, 128, 256, 512)] + [MB * n for n in range(1, 12)],
        },
        short={"index": (12 * KB, 40 * KB), "sweep": (80 * KB, 2 * MB)},
    ),
    Trouble(
        name="inodes",
        words=("no inodes left",),
        make=_no_inodes,
        amounts={"index": range(0, 36, 3), "sweep": range(0, 16, 1)},
        short={"index": (12,), "sweep": (4,)},
    ),
    Trouble(
        name="the right to write",
        words=("read-only", "Give this user write permission"),
        make=_read_only if os.geteuid() == 0 else _no_right,
        amounts={"index": (0,), "sweep": (0,)},
        short={"index": (0,), "sweep": (0,)},
    ),
    Trouble(
        name="leave to write large files (ulimit -f)",
        words=("Allow larger files",),
        limit=small_files,
        amounts={"index": [512 * n for n in range(1, 20)], "sweep": [KB * n for n in (4, 16, 64, 256, 1024, 4096)]},
        short={"index": (4 * KB,), "sweep": (MB,)},
    ),
    Trouble(
        name="enough memory (ulimit -v)",
        words=("emory",),
        limit=small_memory,
        must_say=False,
        amounts={"index": [MB * n for n in (4, 16, 64, 128, 256)], "sweep": [MB * n for n in (4, 16, 64, 128, 256)]},
        short={"index": (), "sweep": (32 * MB,)},
    ),
)


class Attempt:
    """One run in trouble, one without, and the comparison."""

    def __init__(self, trouble: Trouble, phase: Phase, amount: int, disk: Path, ledger: Ledger) -> None:
        self._trouble, self._phase, self._amount = trouble, phase, amount
        self._disk, self._store, self._ledger = disk, disk / "store", ledger

    def play(self) -> None:
        """Does it all."""
        self._disk.mkdir()
        with _mounted(self._disk, f"size={DISK_BYTES},nr_inodes=1000") if self._trouble.needs_mount else ExitStack():
            self._phase.begin(self._store)
            is_empty = self._phase.name == "index"
            before = [] if is_empty else one(jobs.examine, store=str(self._store)).result["content"]
            outcome = self._run_in_trouble()
            broken = [*self._look_at_end(outcome), *self._look_at_store(before)]
        ending = "said so" if self._is_said(outcome) else "ended" if outcome.failure else "was enough"
        label = f"{self._phase.name} without {self._trouble.name}: {ending}"
        self._ledger.count(label, *(f"{self._amount} left: {line}" for line in broken))

    @property
    def _job(self) -> Job:
        return Job(do=self._phase.job, arguments={"store": str(self._store), **self._phase.arguments})

    def _run_in_trouble(self) -> Outcome:
        job, trouble = self._job, self._trouble
        if trouble.make is not None:
            with trouble.make(self._disk, self._amount):
                return run_jobs(job)[0]
        limited = {"job": job.do, "arguments": job.arguments, "limit": self._amount}
        return run_jobs(Job(do=trouble.limit or small_files, arguments=limited))[0]

    def _look_at_end(self, outcome: Outcome) -> Iterator[str]:
        """It must end by itself, and either do its work after all or say what is missing."""
        if outcome.orphans:
            yield f"{outcome.orphans} child processes outlived it"
        if not self._trouble.must_say or not outcome.failure:
            return
        if outcome.error != "StoreError" or not self._is_said(outcome):
            yield f"not said clearly: {outcome.failure}"

    def _is_said(self, outcome: Outcome) -> bool:
        words = (words.lower() for words in self._trouble.words)
        return not outcome.code and any(text in outcome.message.lower() for text in words)

    def _look_at_store(self, before: Sequence[str]) -> Iterator[str]:
        """What was published is there; a run with room comes to the expected content."""
        problems = one(jobs.verify, store=str(self._store)).result["problems"]
        (again,) = run_jobs(self._job)
        found = one(jobs.examine, store=str(self._store)).result
        yield from (f"damaged: {problem}" for problem in problems)
        yield from (f"lost: {row}" for row in compare(before, found["content"]).lost[:3])
        yield from iter_wrong(self._phase.expected, found)
        if again.failure:
            yield f"it can't go on once there is enough: {again.failure}"

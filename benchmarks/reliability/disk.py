"""No room, no inodes, no right to write, too little memory: the message, and what is left of the store."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.reliability.kills_content import compare
from benchmarks.reliability.kills_forks import Forks
from benchmarks.reliability.kills_phases import Phase, build_main_phases
from benchmarks.reliability.kills_server import NUM_AT_ONCE, Job, Outcome
from benchmarks.reliability.section import Section

JOB_MODULES = ("benchmarks.reliability.kills_jobs", "benchmarks.reliability.disk_jobs")
DISK_BYTES = 48 << 20
COLUMNS = (
    "what is missing",
    "job",
    "runs",
    "said so",
    "enough after all",
    "ended otherwise",
    "damaged",
    "lost",
    "doubled",
)
INTRO = (
    "Index and sweep were run where something is missing. Each must say what, lose nothing that was published, and "
    "come to the content of an untroubled run once it is there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that can be missing."""

    name: str
    words: tuple[str, ...]  # one of them must be in the message
    amounts: Mapping[str, Sequence[int]]  # job to how much there is
    short: Mapping[str, Sequence[int]]
    make: Callable[[Path, int], Any] | None = None  # on a mounted disk; gives how to end it by a context manager
    limit: str = ""  # a job of ``disk_jobs`` instead
    must_say: bool = True  # memory may run out in a library that ends the process


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of one row."""

    runs: int = 0
    said: int = 0
    enough: int = 0
    otherwise: int = 0
    damaged: int = 0
    lost: int = 0
    doubled: int = 0
    faults: list[str] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)  # where it was not said


def run(scratch: Path, *, short: bool) -> Section:
    """Tries each trouble with several amounts; what needs a mount and can't have it is said to be skipped."""
    servers: SimpleQueue[Forks] = SimpleQueue()
    can_mount = _can_mount(scratch)
    with ExitStack() as stack:
        for number in range(NUM_AT_ONCE):
            servers.put(stack.enter_context(Forks(scratch / f"server-{number}", JOB_MODULES)))
        forks = servers.get()
        phases = {phase.job: phase for phase in build_main_phases(forks, scratch)}
        servers.put(forks)
        cases = [(trouble, job) for trouble in TROUBLES for job in phases]
        with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
            rows = [
                threads.submit(_try_all, trouble, phases[job], scratch / f"case-{number}", servers, short, can_mount)
                for number, (trouble, job) in enumerate(cases)
            ]
            return _tell(cases, [row.result() for row in rows])


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
        words=("read-only", "Give this user the right"),
        make=_read_only if os.geteuid() == 0 else _no_right,
        amounts={"index": (0,), "sweep": (0,)},
        short={"index": (0,), "sweep": (0,)},
    ),
    Trouble(
        name="leave for large files (ulimit -f)",
        words=("Allow larger files",),
        limit="small_files",
        amounts={"index": [512 * n for n in range(1, 20)], "sweep": [KB * n for n in (4, 16, 64, 256, 1024, 4096)]},
        short={"index": (4 * KB,), "sweep": (MB,)},
    ),
    Trouble(
        name="memory (ulimit -v)",
        words=("emory",),
        limit="small_memory",
        must_say=False,
        amounts={"index": [MB * n for n in (4, 16, 64, 128, 256)], "sweep": [MB * n for n in (4, 16, 64, 128, 256)]},
        short={"index": (), "sweep": (32 * MB,)},
    ),
)


def _try_all(
    trouble: Trouble, phase: Phase, place: Path, servers: "SimpleQueue[Forks]", short: bool, can_mount: bool
) -> Tally | None:
    """All amounts of one trouble; nothing where it can't be made here."""
    needs_mount = trouble.make is not None and trouble.make is not _no_right
    if needs_mount and not can_mount:
        return None
    tally, forks = Tally(), servers.get()
    try:
        for number, amount in enumerate((trouble.short if short else trouble.amounts)[phase.job]):
            disk = place / str(number)
            disk.mkdir(parents=True)
            with _mounted(disk, f"size={DISK_BYTES},nr_inodes=1000") if needs_mount else ExitStack():
                Attempt(forks, trouble, phase, disk, tally).play(amount)
    finally:
        servers.put(forks)
    return tally


class Attempt:
    """One run in trouble, one without, and the comparison."""

    def __init__(self, forks: Forks, trouble: Trouble, phase: Phase, disk: Path, tally: Tally) -> None:
        self._forks, self._trouble, self._phase, self._tally = forks, trouble, phase, tally
        self._disk, self._store = disk, disk / "store"

    def play(self, amount: int) -> None:
        """Does it all."""
        self._phase.begin(self._store)
        before = (
            self._forks.one("examine", store=str(self._store)).result["content"] if self._phase.job == "sweep" else []
        )
        arguments = {"store": str(self._store), **self._phase.arguments}
        job = Job(name=self._phase.job, arguments=arguments)
        if self._trouble.make is not None:
            with self._trouble.make(self._disk, amount):
                (outcome,) = self._forks.run(job)
        else:
            limited = {"job": job.name, "arguments": arguments, "limit": amount}
            (outcome,) = self._forks.run(Job(name=self._trouble.limit, module=JOB_MODULES[1], arguments=limited))
        self._note_end(outcome, amount)
        self._check(job, before, amount)

    def _note_end(self, outcome: Outcome, amount: int) -> None:
        tally, message = self._tally, outcome.message
        tally.runs += 1
        if outcome.orphans:
            self._fault(amount, f"{outcome.orphans} child processes outlived it")
        if not outcome.code and not outcome.error:
            tally.enough += 1
        elif not outcome.code and any(words.lower() in message.lower() for words in self._trouble.words):
            tally.said += 1
            if self._trouble.must_say and outcome.error != "StoreError":
                self._fault(amount, f"it is told as {outcome.error}: {message}")
        else:
            tally.otherwise += 1
            tally.endings[outcome.error or f"signal {-outcome.code}"] += 1
            if self._trouble.must_say:
                self._fault(amount, f"not said clearly: {outcome.code} {outcome.error} {message}")

    def _check(self, job: Job, before: Sequence[str], amount: int) -> None:
        """What was published is there; a run with room comes to the expected content."""
        problems = self._forks.one("verify", store=str(self._store)).result["problems"]
        (again,) = self._forks.run(job)
        found = self._forks.one("examine", store=str(self._store)).result
        after = compare(self._phase.expected, found["content"])
        missing = compare(before, found["content"]).lost
        tally = self._tally
        tally.damaged += bool(problems or found["problems"])
        tally.lost += len(after.lost)
        tally.doubled += len(after.doubled)
        if problems or found["problems"] or missing or after.lost or after.doubled or found["left"]:
            self._fault(amount, f"{problems} {found['problems']} {found['left']} {missing[:2]} {after}")
        if again.error or again.code:
            self._fault(amount, f"can't go on once it is there: {again.code} {again.error}: {again.message}")

    def _fault(self, amount: int, text: str) -> None:
        self._tally.faults.append(f"{self._trouble.name}, {amount} of it, {self._phase.name}: {text}")


def _tell(cases: Sequence[tuple[Trouble, str]], tallies: Sequence[Tally | None]) -> Section:
    rows: list[tuple[str | int, ...]] = []
    faults: list[str] = []
    endings: Counter[str] = Counter()
    for (trouble, job), tally in zip(cases, tallies, strict=True):
        if tally is None:
            rows.append((trouble.name, job, "skipped: mounting a tmpfs needs root", *[""] * 6))
            continue
        faults += tally.faults
        endings += tally.endings
        rows.append(
            (
                trouble.name,
                job,
                tally.runs,
                tally.said,
                tally.enough,
                tally.otherwise,
                tally.damaged,
                tally.lost,
                tally.doubled,
            )
        )
    return Section(
        title="Full disk and its like",
        intro=INTRO,
        columns=COLUMNS,
        rows=tuple(rows),
        faults=tuple(faults),
        notes=(f"with too little memory a library may end the process: no fault if the store holds; {dict(endings)}",),
    )

"""SIGKILL at every named point and at any moment, one process and two at once: what is damaged, lost or doubled."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from benchmarks.reliability.kills_content import compare
from benchmarks.reliability.kills_forks import Forks
from benchmarks.reliability.kills_phases import Passed, Phase, build_decoding_phase, build_phases, name_files
from benchmarks.reliability.kills_server import NUM_AT_ONCE, Job, Outcome
from benchmarks.reliability.section import Section
from storage.disk.crashpoints import CRASH_POINTS

# the part "erasure" tries its own, and the tests of storage those of a compaction
POINTS = tuple(name for name in CRASH_POINTS if not name.startswith(("erasure.", "compaction.")))
MAX_TRIES = 4  # for a kill
KILLS_IN_A_ROW = 3  # at random moments, before the store is brought to its end
COLUMNS = ("phase", "processes", "manner", "kills", "store damaged", "lost", "doubled")
INTRO = (
    "Processes were ended by SIGKILL while they worked, again and again on the same store; after each kill every byte "
    "of the store was verified, and after the last a run to the end had to give the rows of a run without kills: "
    "crops, videos, pictures and published tables, none missing and none twice. Models are stand-ins."
)
POWER = "SIGKILL keeps what the kernel has taken: this is no test of power cuts."


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Kills in a row on one store."""

    phase: Phase
    manner: str
    num_processes: int
    points: tuple[Passed, ...] = ()  # where to kill; at random moments where there are none
    num_kills: int = KILLS_IN_A_ROW
    seed: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the kills of one row of the table."""

    kills: int = 0
    damaged: int = 0
    lost: int = 0
    doubled: int = 0
    faults: list[str] = field(default_factory=list)
    at: Counter[str] = field(default_factory=Counter)  # kills by crash point

    def add(self, other: "Tally") -> None:
        """Takes in another's numbers."""
        self.kills += other.kills
        self.damaged += other.damaged
        self.lost += other.lost
        self.doubled += other.doubled
        self.faults += other.faults
        self.at += other.at


def run(scratch: Path, *, short: bool) -> Section:
    """Kills index, sweep, repair and notes, about 25 times in short and 500 times else."""
    servers: SimpleQueue[Forks] = SimpleQueue()
    with ExitStack() as stack:
        for number in range(NUM_AT_ONCE):
            servers.put(stack.enter_context(Forks(scratch / f"server-{number}")))
        forks = servers.get()
        phases = build_phases(forks, scratch)
        if not short:
            phases.append(build_decoding_phase(forks, scratch))
        servers.put(forks)
        rounds = list(_plan_short(phases) if short else _plan_long(phases))
        with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
            jobs = [
                threads.submit(_play, item, scratch / f"round-{number}", servers) for number, item in enumerate(rounds)
            ]
            return _tell(rounds, [job.result() for job in jobs])


def _plan_short(phases: Sequence[Phase]) -> Iterator[Round]:
    """Every crash point once, in the first phase that passes it; and a few kills of two processes at random."""
    index, sweep, *others = phases
    left = list(POINTS)
    for phase in (*others, sweep, index):
        mine = tuple((name, 1) for name in dict.fromkeys(name for name, _ in phase.points) if name in left)
        rare = tuple(item for item in mine if phase in (index, sweep) or item[0] not in _names(index, sweep))
        left = [name for name in left if (name, 1) not in rare]
        yield Round(phase=phase, manner="named points", num_processes=1, points=rare)
    for number, phase in enumerate((index, sweep)):
        yield Round(phase=phase, manner="random moments", num_processes=2, num_kills=1, seed=number)


def _names(*phases: Phase) -> set[str]:
    return {name for phase in phases for name, _ in phase.points}


def _plan_long(phases: Sequence[Phase]) -> Iterator[Round]:
    *drawn, decoding = phases
    index, sweep, *_ = drawn
    for phase in drawn:
        for number in (1, 2):
            yield Round(phase=phase, manner="named points", num_processes=number, points=phase.points)
            for seed in range(18 if phase in (index, sweep) else 6):
                yield Round(phase=phase, manner="random moments", num_processes=number, seed=seed)
    for seed in range(5):
        yield Round(phase=decoding, manner="random moments", num_processes=1, seed=seed)


def _play(item: Round, place: Path, servers: "SimpleQueue[Forks]") -> Tally:
    forks = servers.get()
    try:
        return Killing(forks, item, place).play()
    finally:
        servers.put(forks)


class Killing:
    """One round: kills in a row, then a run to the end, then the comparison."""

    def __init__(self, forks: Forks, item: Round, place: Path) -> None:
        self._forks, self._round, self._place = forks, item, place
        self._chance = random.Random(f"{item.phase.name} {item.num_processes} {item.seed}")
        self._num_stores, self._is_fresh = 0, False
        self._seconds = item.phase.seconds  # that an uninterrupted run takes; less where the machine has become quieter
        self.tally = Tally()

    def play(self) -> Tally:
        """Does it all."""
        self._begin()
        for point in self._round.points:
            if not self._kill(point) and not self._is_fresh:
                self._renew()
                self._kill(point)
        if not self._round.points:
            self._kill_at_random(self._round.num_kills * self._round.num_processes)
        self._end()
        return self.tally

    def _kill_at_random(self, num_kills: int) -> None:
        """Kills at random moments; where the work was done before, on another store and sooner."""
        for _ in range(MAX_TRIES * num_kills):
            if self.tally.kills >= num_kills:
                return
            if not self._kill(None):
                self._renew()

    def _renew(self) -> None:
        self._end()
        self._begin()

    @property
    def _store(self) -> Path:
        return self._place / f"store-{self._num_stores}"

    def _begin(self) -> None:
        self._num_stores += 1
        self._round.phase.begin(self._store)
        self._is_fresh = True

    def _kill(self, point: Passed | None) -> bool:
        """Lets the processes run into their ends; False where none was killed."""
        outcomes = self._forks.run(*[self._job(point) for _ in range(self._round.num_processes)])
        num_killed = sum(outcome.killed for outcome in outcomes)
        if not num_killed:
            self._seconds = min(self._seconds, max(outcome.seconds for outcome in outcomes))
        self.tally.kills += num_killed
        if point is not None:
            self.tally.at[point[0]] += num_killed
        for outcome in outcomes:
            self._check_end(outcome)
        self._is_fresh = self._is_fresh and not num_killed and outcomes[0].error == "StoreBusyError"
        if num_killed:
            self._check_store()
        return num_killed > 0

    def _job(self, point: Passed | None) -> Job:
        phase = self._round.phase
        arguments = {"store": str(self._store), **phase.arguments}
        if point is not None:
            return Job(name=phase.job, arguments=arguments, kill_at=point[0], kill_count=point[1])
        return Job(name=phase.job, arguments=arguments, kill_after=self._chance.uniform(0.0, self._seconds))

    def _check_end(self, outcome: Outcome) -> None:
        if outcome.orphans:
            self._fault(f"{outcome.orphans} child processes outlived a killed parent")
        may_wait = self._round.num_processes > 1 and outcome.error == "StoreBusyError"
        if not outcome.killed and (outcome.code or (outcome.error and not may_wait)):
            self._fault(f"a process ended with {outcome.code} {outcome.error}: {outcome.message}")

    def _check_store(self) -> None:
        problems = self._forks.one("verify", store=str(self._store)).result["problems"]
        new = name_files(problems, self._store) - self._round.phase.problems
        if new:
            self.tally.damaged += 1
            self._fault(f"damaged after a kill: {'; '.join(problems)}")

    def _end(self) -> None:
        phase = self._round.phase
        (outcome,) = self._forks.run(Job(name=phase.job, arguments={"store": str(self._store), **phase.arguments}))
        if outcome.code or outcome.error:
            self._fault(f"can't be resumed: {outcome.code} {outcome.error}: {outcome.message}")
            return
        found = self._forks.one("examine", store=str(self._store)).result
        difference = compare(phase.expected, found["content"])
        self.tally.damaged += bool(found["problems"])
        self.tally.lost += len(difference.lost)
        self.tally.doubled += len(difference.doubled)
        for what, rows in (("damaged", found["problems"]), ("left behind", found["left"])):
            if rows:
                self._fault(f"{what} after resuming: {rows}")
        if difference.lost or difference.doubled:
            self._fault(f"lost {difference.lost[:2]}, doubled {difference.doubled[:2]}")
        shutil.rmtree(self._store)

    def _fault(self, text: str) -> None:
        item = self._round
        self.tally.faults.append(f"{item.phase.name}, {item.num_processes} at once, {item.manner}: {text}")


def _tell(rounds: Sequence[Round], tallies: Sequence[Tally]) -> Section:
    table: dict[tuple[str, int, str], Tally] = {}
    whole = Tally()
    for item, tally in zip(rounds, tallies, strict=True):
        table.setdefault((item.phase.name, item.num_processes, item.manner), Tally()).add(tally)
        whole.add(tally)
    missed = [name for name in POINTS if not whole.at[name]]
    at = ", ".join(f"{name} {count}" for name, count in whole.at.items() if count)
    rows = [(*key, tally.kills, tally.damaged, tally.lost, tally.doubled) for key, tally in table.items()]
    rows.append(("all", "", "", whole.kills, whole.damaged, whole.lost, whole.doubled))
    return Section(
        title="Kills",
        intro=INTRO,
        columns=COLUMNS,
        rows=tuple(rows),
        faults=(*whole.faults, *(f"no process was killed at {name}" for name in missed)),
        notes=(f"kills by named point: {at}", POWER),
    )

"""SIGKILL at every named point and at any moment, one process and two at once: what is damaged, lost or doubled."""

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.disk.crashpoints import CRASH_POINTS
from tests.faults import jobs
from tests.faults.content import iter_wrong
from tests.faults.forks import Job, Outcome, one, try_all
from tests.faults.forks import run as run_jobs
from tests.faults.ledger import Ledger
from tests.faults.phases import Passed, Phase, build_decoding_phase, build_phases, name_files

# erasures are killed by the kind of their own, compactions by the tests of storage
POINTS = tuple(name for name in CRASH_POINTS if not name.startswith(("erasure.", "compaction.", "growth.", "mending.")))
REACHED = "named points at which a process was killed"
MAX_TRIES = 4  # for a kill
KILLS_IN_A_ROW = 3  # at random moments, before the store is brought to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Kills in a row on one store."""

    phase: Phase
    num_processes: int = 1
    points: tuple[Passed, ...] = ()  # where to kill; at random moments where there are none
    num_kills: int = KILLS_IN_A_ROW
    seed: int = 0

    @property
    def label(self) -> str:
        """What is tried, in words."""
        manner = "named points" if self.points else "random moments"
        return f"{self.phase.name}, killed at {manner}{', two at once' if self.num_processes > 1 else ''}"


def run(scratch: Path, *, short: bool) -> Ledger:
    """Kills index, sweep, repair, compaction and notes, about 25 times in short and 500 times else."""
    ledger, reached = Ledger(), set[str]()
    phases = build_phases(scratch)
    if not short:
        phases.append(build_decoding_phase(scratch))
    rounds = enumerate(_plan_short(phases) if short else _plan_long(phases))
    try_all(rounds, lambda item: reached.update(Killing(item[1], scratch / f"round-{item[0]}", ledger).play()))
    for name in POINTS:
        ledger.count(REACHED, *(() if name in reached else (f"none at {name}",)))
    ledger.note("SIGKILL keeps what the kernel has taken: this is no test of power cuts")
    return ledger


def _plan_short(phases: Sequence[Phase]) -> Iterator[Round]:
    """Every crash point once, in the first phase that passes it; and a few kills of two processes at random."""
    index, sweep, *others = phases
    usual = {name for phase in (index, sweep) for name, _ in phase.points}
    left = list(POINTS)
    for phase in (*others, sweep, index):
        mine = [name for name in dict.fromkeys(name for name, _ in phase.points) if name in left]
        rare = [name for name in mine if phase in (index, sweep) or name not in usual]
        left = [name for name in left if name not in rare]
        if rare:
            yield Round(phase=phase, points=tuple((name, 1) for name in rare))
    for number, phase in enumerate((index, sweep)):
        yield Round(phase=phase, num_processes=2, num_kills=1, seed=number)


def _plan_long(phases: Sequence[Phase]) -> Iterator[Round]:
    *drawn, decoding = phases
    index, sweep, *_ = drawn
    for phase in drawn:
        for number in (1, 2):
            yield Round(phase=phase, num_processes=number, points=phase.points)
            for seed in range(18 if phase in (index, sweep) else 6):
                yield Round(phase=phase, num_processes=number, seed=seed)
    for seed in range(5):
        yield Round(phase=decoding, seed=seed)


class Killing:
    """One round: kills in a row, then a run to the end, then the comparison."""

    def __init__(self, item: Round, place: Path, ledger: Ledger) -> None:
        self._round, self._place, self._ledger = item, place, ledger
        self._chance = random.Random(f"{item.phase.name} {item.num_processes} {item.seed}")
        self._num_stores, self._num_killed, self._is_fresh = 0, 0, False
        self._seconds = item.phase.seconds  # that an uninterrupted run takes; less where the machine has become quieter

    def play(self) -> set[str]:
        """Does it all; gives the points at which a process was killed."""
        self._begin()
        reached = {point[0] for point in self._round.points if self._kill_at(point)}
        if not self._round.points:
            self._kill_at_random(self._round.num_kills * self._round.num_processes)
        self._end()
        return reached

    def _kill_at(self, point: Passed) -> bool:
        if self._kill(point):
            return True
        if self._is_fresh:
            return False
        self._renew()
        return self._kill(point)

    def _kill_at_random(self, num_kills: int) -> None:
        """Kills at random moments; where the work was done before, on another store and sooner."""
        for _ in range(MAX_TRIES * num_kills):
            if self._num_killed >= num_kills:
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
        outcomes = run_jobs(*[self._job(point) for _ in range(self._round.num_processes)])
        num_killed = sum(outcome.killed for outcome in outcomes)
        self._num_killed += num_killed
        broken = [line for outcome in outcomes for line in self._look_at_end(outcome)]
        if num_killed:
            broken += self._look_at_store()
        else:
            self._seconds = min(self._seconds, max(outcome.seconds for outcome in outcomes))
        if num_killed or broken:
            self._ledger.count(self._round.label, *broken)
        self._is_fresh = self._is_fresh and not num_killed and outcomes[0].error == "StoreBusyError"
        return num_killed > 0

    def _job(self, point: Passed | None) -> Job:
        phase = self._round.phase
        arguments = {"store": str(self._store), **phase.arguments}
        if point is not None:
            return Job(do=phase.job, arguments=arguments, kill_at=point[0], kill_count=point[1])
        return Job(do=phase.job, arguments=arguments, kill_after=self._chance.uniform(0.0, self._seconds))

    def _look_at_end(self, outcome: Outcome) -> Iterator[str]:
        if outcome.orphans:
            yield f"{outcome.orphans} child processes outlived a killed parent"
        may_wait = self._round.num_processes > 1 and outcome.error == "StoreBusyError"
        if outcome.failure and not outcome.killed and not may_wait:
            yield f"a process ended with {outcome.failure}"

    def _look_at_store(self) -> list[str]:
        problems = one(jobs.verify, store=str(self._store)).result["problems"]
        is_new = name_files(problems, self._store) - self._round.phase.problems
        return [f"damaged after a kill: {'; '.join(problems)}"] if is_new else []

    def _end(self) -> None:
        """Runs to the end and compares with a run that nobody killed."""
        phase, label = self._round.phase, f"{self._round.phase.name}, run to its end after kills"
        (outcome,) = run_jobs(Job(do=phase.job, arguments={"store": str(self._store), **phase.arguments}))
        if outcome.failure:
            self._ledger.count(label, f"it can't: {outcome.failure}")
            return
        found = one(jobs.examine, store=str(self._store)).result
        self._ledger.count(label, *iter_wrong(phase.expected, found))
        shutil.rmtree(self._store)

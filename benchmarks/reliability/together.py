"""Several processes on one store at once: no reader sees half a sweep, no hit is lost, who must wait is told so."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.reliability.kills_content import OF_THE_GALLERY, OF_THE_RUN, compare
from benchmarks.reliability.kills_forks import JOB_MODULES, Forks
from benchmarks.reliability.kills_server import Job, Outcome
from benchmarks.reliability.kills_stand_ins import ARCHIVE, write_archive, write_queries
from benchmarks.reliability.section import Cell, Section

MODULE = "benchmarks.reliability.together_jobs"
NUM_READERS = 10
NUM_ROUNDS = 4
NUM_ORPHANS = 3
TABLES = ("queries", "coverage", "hits", "judgements", "judgement_slots", "incidents", "videos", "shards")
SKIPPED = (*OF_THE_RUN, *OF_THE_GALLERY, "score", "confidence")  # they hang on what else the gallery held
COLORS = ("red", "green", "blue")
BUSY = re.compile(r"Another writer is at work: .*process.*Wait for it to end, or stop it\.")
KILLED_AT = ("judgements.cached", "sweep.rows_replaced", "sweep.committed", "snapshot.written", "file.written")
COLUMNS = ("at once", "rounds", "publishes", "reads", "torn reads", "lost", "doubled", "had to wait")
INTRO = (
    f"Processes worked on one store at once while {NUM_READERS} others read the published hits all the time, half by "
    "`run_sql` and half by a plain read-only DuckDB. Every state that was read must be one that was published, none "
    "may lack what an earlier one had, and the store must end as after one run after the other."
)
SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "two sweeps": ("sweep", "sweep"),
    "sweep and index": ("sweep", "index"),
    "two indexes of one archive": ("index", "index"),
    "sweep and gc": ("sweep", "gc"),
    "two sweeps, two indexes, gc": ("sweep", "sweep", "index", "index", "gc"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rounds begin with and are to end with."""

    forks: Forks
    scratch: Path
    archive: Path
    template: Path  # a part of the archive is indexed and swept
    first: tuple[int, ...]  # the state that is published in it
    expected: tuple[str, ...] = field(repr=False)

    def queries(self, *colors: str) -> str:
        """A file of saved queries."""
        return str(write_queries(self.scratch / f"{'-'.join(colors)}.toml", colors))


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of one row."""

    rounds: int = 0
    publishes: int = 0
    reads: int = 0
    torn: int = 0
    lost: int = 0
    doubled: int = 0
    waited: int = 0
    faults: list[str] = field(default_factory=list)


def run(scratch: Path, *, short: bool) -> Section:
    """Plays the scenarios: all at once in short, else each several times; then kills writers for their lock."""
    with Forks(scratch / "server", (*JOB_MODULES, MODULE)) as forks:
        bench = _prepare(forks, scratch)
        names = list(SCENARIOS)[-1:] if short else list(SCENARIOS)
        tallies = {name: _play(bench, name, 1 if short else NUM_ROUNDS) for name in names}
        killed_at = KILLED_AT[1:2] if short else KILLED_AT
        seconds, faults = _kill_holders(bench, killed_at)
    rows: list[tuple[Cell, ...]] = [
        (name, item.rounds, item.publishes, item.reads, item.torn, item.lost, item.doubled, item.waited)
        for name, item in tallies.items()
    ]
    longest = f"{1000 * max(seconds, default=0.0):.1f} ms"
    note = f"{len(seconds)} of {len(killed_at)} locks of killed writers were free at once, after {longest} at most"
    all_faults = [*(fault for item in tallies.values() for fault in item.faults), *faults]
    return Section(
        title="Together", intro=INTRO, columns=COLUMNS, rows=tuple(rows), faults=tuple(all_faults), notes=(note,)
    )


def _prepare(forks: Forks, scratch: Path) -> Bench:
    part = {name: blocks for name, blocks in ARCHIVE.items() if name.startswith("gate/2026-03-14")}
    archive, template = write_archive(scratch / "archive"), scratch / "template"
    bench = Bench(forks=forks, scratch=scratch, archive=archive, template=template, first=(), expected=())
    forks.one("index", store=str(template), archive=str(write_archive(scratch / "part", videos=part)))
    forks.one("sweep", store=str(template), queries=bench.queries("red"))
    first = forks.run(Job(name="count", module=MODULE, arguments={"store": str(template)}))[0].result
    store = scratch / "one-after-the-other"
    shutil.copytree(template, store)
    expected = _finish(bench, store)
    return Bench(
        forks=forks, scratch=scratch, archive=archive, template=template, first=tuple(first), expected=expected
    )


def _finish(bench: Bench, store: Path) -> tuple[str, ...]:
    """Indexes and sweeps what is left, and reads everything."""
    bench.forks.one("index", store=str(store), archive=str(bench.archive))
    bench.forks.one("sweep", store=str(store), queries=bench.queries(*COLORS))
    found = bench.forks.one("examine", store=str(store), skip=SKIPPED, tables=TABLES).result
    return (*found["content"], *(f"problem {problem}" for problem in found["problems"]))


def _play(bench: Bench, name: str, num_rounds: int) -> Tally:
    tally = Tally()
    for number in range(num_rounds):
        place = bench.scratch / f"{'-'.join(SCENARIOS[name])}-{number}"
        shutil.copytree(bench.template, place / "store")
        (place / "signs").mkdir()
        _leave_orphans(place / "store" / "temporary")
        outcomes = bench.forks.run(*_build_jobs(bench, place, SCENARIOS[name]))
        tally.rounds += 1
        _look_at_ends(name, outcomes, tally)
        _look_at_reads(name, bench.first, outcomes, tally)
        difference = compare(bench.expected, _finish(bench, place / "store"))
        tally.lost += len(difference.lost)
        tally.doubled += len(difference.doubled)
        if difference.lost or difference.doubled:
            tally.faults.append(f"{name}: lost {difference.lost[:2]}, doubled {difference.doubled[:2]}")
        shutil.rmtree(place)
    return tally


def _leave_orphans(temporary: Path) -> None:
    """Leaves old files as killed processes do, for the garbage collection to find."""
    for number in range(NUM_ORPHANS):
        path = temporary / f"left.{number}"
        path.touch()
        os.utime(path, (0, 0))


def _build_jobs(bench: Bench, place: Path, parts: Sequence[str]) -> Iterator[Job]:
    shared: dict[str, Any] = {"store": str(place / "store"), "signs": str(place / "signs")}
    orders = iter((("red", "green"), ("blue",)))  # the second sweep brings other queries
    num_writers = sum(part != "gc" for part in parts)
    for number, part in enumerate(parts):
        own: dict[str, Any] = {"name": f"writer-{number}"}
        if part == "sweep":
            queries = [bench.queries(*next(orders)), bench.queries(*COLORS)]
            yield Job(name="sweep_often", module=MODULE, arguments={**shared, **own, "queries": queries})
        elif part == "index":
            arguments = {**shared, **own, "archive": str(bench.archive)}
            yield Job(name="index_all", module=MODULE, arguments=arguments)
        else:
            arguments = {**shared, "num_writers": num_writers}
            yield Job(name="collect_often", module=MODULE, arguments=arguments)
    for number in range(NUM_READERS):
        arguments = {**shared, "num_writers": num_writers, "plain": number % 2 == 0}
        yield Job(name="read_often", module=MODULE, arguments=arguments)


def _look_at_ends(name: str, outcomes: Sequence[Outcome], tally: Tally) -> None:
    for outcome in outcomes:
        if outcome.code or outcome.error:
            tally.faults.append(f"{name}: a process ended with {outcome.code} {outcome.error}: {outcome.message}")
            continue
        waited = outcome.result.get("waited", [])
        tally.waited += bool(waited)
        tally.publishes += len(outcome.result.get("published", []))
        tally.faults += [f"{name}: not a clear message: {text}" for text in waited if not BUSY.search(text)][:1]
        if outcome.result.get("removed", [NUM_ORPHANS]) != [NUM_ORPHANS]:
            tally.faults.append(f"{name}: gc removed {outcome.result['removed']}, expected {NUM_ORPHANS}")


def _look_at_reads(name: str, first: Sequence[int], outcomes: Sequence[Outcome], tally: Tally) -> None:
    """Every state read must be one published, with nothing dangling, and no number may fall."""
    results = [outcome.result or {} for outcome in outcomes if not outcome.error]
    published = {tuple(first), *(tuple(state) for result in results for state in result.get("published", []))}
    for result in results:
        states = [tuple(state) for state in result.get("seen", [])]
        wrong = [f"{state} was never published" for state in states if state not in published or any(state[-2:])]
        wrong += [f"{old} became {new}" for old, new in pairwise(states) if _fell(old, new)]
        wrong += result.get("torn", [])
        tally.reads += sum(result.get("reads", []))
        tally.torn += len(wrong)
        tally.faults += [f"{name}: torn read: {text}" for text in wrong[:2]]


def _fell(old: Sequence[int], new: Sequence[int]) -> bool:
    return any(after < before for before, after in zip(old, new, strict=True))


def _kill_holders(bench: Bench, points: Sequence[str]) -> tuple[list[float], list[str]]:
    """Kills a writer at each point and takes its lock at once; gives the seconds each took, and what failed."""
    seconds: list[float] = []
    faults: list[str] = []
    for number, point in enumerate(points):
        store = bench.scratch / f"lock-{number}"
        shutil.copytree(bench.template, store)
        arguments = {"store": str(store), "queries": bench.queries("green")}
        (killed,) = bench.forks.run(Job(name="sweep", arguments=arguments, kill_at=point))
        (taken,) = bench.forks.run(Job(name="take_lock", module=MODULE, arguments={"store": str(store)}))
        if killed.killed and not taken.error and not taken.code:
            seconds.append(taken.result)
        else:
            faults.append(f"lock of a writer killed at {point}: {killed.code}, then {taken.error} {taken.message}")
    return seconds, faults

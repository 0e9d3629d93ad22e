"""Processes that work on one store at once, while others read it all the time."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.drawn import ARCHIVE, write_archive, write_queries
from tests.faults import jobs as store_jobs
from tests.faults.content import OF_THE_GALLERY, OF_THE_RUN, iter_wrong
from tests.faults.forks import Job, Outcome, one
from tests.faults.forks import run as run_jobs
from tests.faults.ledger import Ledger
from tests.faults.together import jobs

NUM_READERS, NUM_READERS_IN_SHORT = 10, 4
NUM_ROUNDS = 4
NUM_ORPHANS = 3
TABLES = ("queries", "coverage", "hits", "judgements", "judgement_slots", "incidents", "videos", "shards")
SKIPPED = (*OF_THE_RUN, *OF_THE_GALLERY, "score", "confidence")  # they hang on what else the gallery held
COLORS = ("red", "green", "blue")
BUSY = re.compile(r"Another writer is at work: .*process.*Wait for it to end, or stop it\.")
KILLED_AT = ("judgements.cached", "sweep.rows_replaced", "sweep.committed", "snapshot.written", "file.written")
READS, PUBLISHES = "states read while others write", "publishes"
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

    scratch: Path
    archive: Path
    template: Path  # a part of the archive is indexed and swept
    first: tuple[int, ...]  # the state that is published in it
    expected: tuple[str, ...] = field(repr=False)

    def queries(self, *colors: str) -> str:
        """A file of saved queries."""
        return str(write_queries(self.scratch / f"{'-'.join(colors)}.toml", colors))


def run(scratch: Path, *, short: bool) -> Ledger:
    """Plays the scenarios: all at once in short, else each several times; then kills writers for their lock."""
    ledger = Ledger()
    bench = _prepare(scratch)
    for name in list(SCENARIOS)[-1:] if short else SCENARIOS:
        for number in range(1 if short else NUM_ROUNDS):
            place = scratch / f"{'-'.join(SCENARIOS[name])}-{number}"
            _play(bench, name, place, NUM_READERS_IN_SHORT if short else NUM_READERS, ledger)
    _kill_holders(bench, KILLED_AT[1:2] if short else KILLED_AT, ledger)
    return ledger


def _prepare(scratch: Path) -> Bench:
    part = {name: blocks for name, blocks in ARCHIVE.items() if name.startswith("gate/2026-03-14")}
    archive, template = write_archive(scratch / "archive"), scratch / "template"
    bench = Bench(scratch=scratch, archive=archive, template=template, first=(), expected=())
    one(store_jobs.index, store=str(template), archive=str(write_archive(scratch / "part", videos=part)))
    one(store_jobs.sweep, store=str(template), queries=bench.queries("red"))
    first = one(jobs.count, store=str(template)).result
    store = scratch / "one-after-the-other"
    shutil.copytree(template, store)
    expected = tuple(_finish(bench, store)["content"])
    return Bench(scratch=scratch, archive=archive, template=template, first=tuple(first), expected=expected)


def _finish(bench: Bench, store: Path) -> dict[str, Any]:
    """Indexes and sweeps what is left, and reads everything."""
    one(store_jobs.index, store=str(store), archive=str(bench.archive))
    one(store_jobs.sweep, store=str(store), queries=bench.queries(*COLORS))
    return dict(one(store_jobs.examine, store=str(store), skip=SKIPPED, tables=TABLES).result)


def _play(bench: Bench, name: str, place: Path, num_readers: int, ledger: Ledger) -> None:
    """One round; in the end the store must be as after one run after the other."""
    shutil.copytree(bench.template, place / "store")
    (place / "signs").mkdir()
    _leave_orphans(place / "store" / "temporary")
    outcomes = run_jobs(*_build_jobs(bench, place, SCENARIOS[name], num_readers))
    broken = [line for outcome in outcomes for line in _look_at_end(outcome)]
    ledger.count(name, *broken, *iter_wrong(bench.expected, _finish(bench, place / "store")))
    _look_at_reads(bench.first, outcomes, ledger)
    shutil.rmtree(place)


def _leave_orphans(temporary: Path) -> None:
    """Leaves old files as killed processes do, for the garbage collection to find."""
    for number in range(NUM_ORPHANS):
        path = temporary / f"left.{number}"
        path.touch()
        os.utime(path, (0, 0))


def _build_jobs(bench: Bench, place: Path, parts: Sequence[str], num_readers: int) -> Iterator[Job]:
    shared: dict[str, Any] = {"store": str(place / "store"), "signs": str(place / "signs")}
    orders = iter((("red", "green"), ("blue",)))  # the second sweep brings other queries
    num_writers = sum(part != "gc" for part in parts)
    for number, part in enumerate(parts):
        own: dict[str, Any] = {"name": f"writer-{number}"}
        if part == "sweep":
            queries = [bench.queries(*next(orders)), bench.queries(*COLORS)]
            yield Job(do=jobs.sweep_often, arguments={**shared, **own, "queries": queries})
        elif part == "index":
            arguments = {**shared, **own, "archive": str(bench.archive)}
            yield Job(do=jobs.index_all, arguments=arguments)
        else:
            arguments = {**shared, "num_writers": num_writers}
            yield Job(do=jobs.collect_often, arguments=arguments)
    for number in range(num_readers):
        arguments = {**shared, "num_writers": num_writers, "plain": number % 2 == 0}
        yield Job(do=jobs.read_often, arguments=arguments)


def _look_at_end(outcome: Outcome) -> Iterator[str]:
    if outcome.failure:
        yield f"a process ended with {outcome.failure}"
        return
    yield from (f"not a clear message: {text}" for text in outcome.result.get("waited", []) if not BUSY.search(text))
    if outcome.result.get("removed", [NUM_ORPHANS]) != [NUM_ORPHANS]:
        yield f"gc removed {outcome.result['removed']}, expected {NUM_ORPHANS}"


def _look_at_reads(first: Sequence[int], outcomes: Sequence[Outcome], ledger: Ledger) -> None:
    """Every state read must be one published, with nothing dangling, and no number may fall."""
    results = [outcome.result or {} for outcome in outcomes if not outcome.error]
    published = [tuple(state) for result in results for state in result.get("published", [])]
    for _ in published:
        ledger.count(PUBLISHES)
    for result in results:
        states = [tuple(state) for state in result.get("seen", [])]
        for old, new in pairwise([tuple(first), *states]):
            wrong = [f"{new} was never published"] if new not in {tuple(first), *published} or any(new[-2:]) else []
            wrong += [f"{old} became {new}"] if any(a < b for a, b in zip(new, old, strict=True)) else []
            ledger.count(READS, *wrong)
        for line in result.get("torn", []):
            ledger.count(READS, line)
        for _ in range(sum(result.get("reads", [])) - len(states)):
            ledger.count(READS)  # it read what it had read before


def _kill_holders(bench: Bench, points: Sequence[str], ledger: Ledger) -> None:
    """Kills a writer at each point; its lock must be free at once."""
    for number, point in enumerate(points):
        store = bench.scratch / f"lock-{number}"
        shutil.copytree(bench.template, store)
        arguments = {"store": str(store), "queries": bench.queries("green")}
        (killed,) = run_jobs(Job(do=store_jobs.sweep, arguments=arguments, kill_at=point))
        (taken,) = run_jobs(Job(do=jobs.take_lock, arguments={"store": str(store)}))
        is_free = killed.killed and not taken.failure
        told = f"killed at {point}: {killed.code}, then {taken.failure}"
        ledger.count("lock of a killed writer", *(() if is_free else (told,)))

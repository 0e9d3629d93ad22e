"""Erasing footage by several rules, whole and killed between all steps: what is found of it afterwards."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.disk.crashpoints import CRASH_POINTS
from tests.drawn import write_queries
from tests.faults.erasure import jobs
from tests.faults.erasure.jobs import ARCHIVE, write_noisy_archive
from tests.faults.forks import NUM_AT_ONCE, Job, Outcome, one
from tests.faults.forks import run as run_jobs
from tests.faults.ledger import Ledger

POINTS = (
    *(name for name in CRASH_POINTS if name.startswith("erasure.")),
    "shard.renamed",
    "snapshot.written",
)
WAYS = ("erase", "gc", "sweep")  # who finishes
Kill = tuple[str, str]  # at which point, finished by whom


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A rule, and which of the archive's videos fall under it."""

    name: str
    rule: dict[str, Any]
    paths: tuple[str, ...]  # parts of their paths


CASES = (
    Case(name="before noon", rule={"before": "2026-03-14T12:00:00+00:00"}, paths=("walrus-one", "walrus-four")),
    Case(name="a camera", rule={"cameras": ["yard"]}, paths=("yard/",)),
    Case(name="one video", rule={"videos": [next(iter(ARCHIVE))]}, paths=("walrus-one",)),
    Case(
        name="a camera before a day",
        rule={"before": "2026-03-15T00:00:00+00:00", "cameras": ["gate"]},
        paths=("gate/2026-03-14",),
    ),
    Case(name="everything", rule={"before": "2100-01-01T00:00:00+00:00"}, paths=("walrus",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An erasure that nothing interrupted, to compare with."""

    case: Case
    content: list[str]
    place: str  # of the pieces to seek


class Bench:
    """The stores of one run."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.archive = write_noisy_archive(scratch / "archive")
        self.queries = write_queries(scratch / "queries.toml")
        self.template = str(scratch / "template")
        one(jobs.make, store=self.template, archive=str(self.archive), queries=str(self.queries))
        self.videos: dict[str, list[str]] = one(jobs.videos, store=self.template).result

    def copy(self, name: str) -> str:
        """A store like the template."""
        return str(shutil.copytree(self.template, self.scratch / name))

    def ids(self, case: Case) -> list[str]:
        """The ids of the videos that fall under a case's rule."""
        paths = [path for path in self.videos if any(part in path for part in case.paths)]
        return [video_id for path in paths for video_id in sorted(set(self.videos[path]))]


def run(scratch: Path, *, short: bool) -> Ledger:
    """Tries the rules, then kills; a short run kills once at each step."""
    ledger = Ledger()
    bench = Bench(scratch)
    for number, case in enumerate(CASES[:2] if short else CASES):
        whole = _erase_whole(bench, case, ledger)
        kills = list(_iter_kills(short)) if number == 0 or not short else []
        for start in range(0, len(kills), NUM_AT_ONCE):
            _kill(bench, whole, kills[start : start + NUM_AT_ONCE], ledger)
    _try_beside_a_writer(bench, ledger)
    ledger.note("freed blocks of the disk itself and copies made elsewhere are beyond this test")
    return ledger


def _iter_kills(short: bool) -> Iterator[Kill]:
    for number, point in enumerate(POINTS):
        yield from ((point, way) for way in ((WAYS[number % len(WAYS)],) if short else WAYS))


def _erase_whole(bench: Bench, case: Case, ledger: Ledger) -> Whole:
    """Erases without interruption."""
    store, place = bench.copy("whole"), str(bench.scratch / "pieces.json")
    number = one(jobs.traces, store=store, video_ids=bench.ids(case), place=place).result
    before = len(one(jobs.seek, store=store, place=place).result)
    went = one(jobs.erase, store=store, **case.rule).result
    told = one(jobs.examine, store=store, archive=str(bench.archive), place=place).result
    broken = list(_look(bench, case, told))
    broken += [] if 0 < number <= before else [f"{before} of {number} pieces were there before"]
    broken += [] if went["videos"] == len(bench.ids(case)) else [f"{went['videos']} videos went"]
    ledger.count(case.name, *broken)
    ledger.note(f"{case.name}: {number} pieces were sought, each in every file")
    shutil.rmtree(store)
    return Whole(case=case, content=told["content"], place=place)


def _kill(bench: Bench, whole: Whole, kills: Sequence[Kill], ledger: Ledger) -> None:
    """Erases in a store each, is killed at a step, has another command finish, and compares with the whole one."""
    stores = [bench.copy(f"killed-{number}") for number in range(len(kills))]
    pairs = list(zip(stores, kills, strict=True))
    ended = run_jobs(*(_job(jobs.erase, store, kill_at=point, **whole.case.rule) for store, (point, _) in pairs))
    given = {"queries": str(bench.queries), "archive": str(bench.archive), "place": whole.place}
    finished = run_jobs(*(_job(jobs.finish_and_examine, store, how=way, **given) for store, (_, way) in pairs))
    for store in stores:
        shutil.rmtree(store)
    for (point, way), end, finish in zip(kills, ended, finished, strict=True):
        broken = _judge(bench, whole, point, end, finish)
        label = f"{whole.case.name}, killed and finished by {way}"
        ledger.count(label, *(f"at {point}: {line}" for line in broken))


def _judge(bench: Bench, whole: Whole, point: str, ended: Outcome, finished: Outcome) -> Iterator[str]:
    if finished.failure:
        yield f"it can't be finished: {finished.failure}"
        return
    told = finished.result
    is_named = any("is unfinished" in problem for problem in told["said"])
    if ended.killed and is_named == (point == "erasure.finished"):
        yield f"verify says {told['said']}"
    if not ended.killed and (point != "shard.renamed" or ended.error):  # a rule that rewrites no shard publishes none
        yield f"it was not killed: {ended.error} {ended.message}"
    lost, added = sorted(set(whole.content) - set(told["content"])), sorted(set(told["content"]) - set(whole.content))
    if told["content"] != whole.content:
        yield f"{len(lost)} rows lost ({lost[:1]}), {len(added)} added ({added[:1]})"
    yield from _look(bench, whole.case, told)


def _look(bench: Bench, case: Case, told: dict[str, Any]) -> Iterator[str]:
    """Nothing may be found, verify must be content, and indexing the archive again must bring nothing."""
    expected = {"erased": len(bench.ids(case)), "videos": 0}
    if told["found"]:
        yield f"pieces found in {', '.join(sorted(set(told['found'])))}"
    if told["problems"]:
        yield f"verify says {told['problems']}"
    if told["again"] != expected:
        yield f"indexing again gave {told['again']}, expected {expected}"


def _try_beside_a_writer(bench: Bench, ledger: Ledger) -> None:
    store = bench.copy("refused")
    (outcome,) = run_jobs(_job(jobs.erase_while_swept, store))
    broken = [] if outcome.error == "StoreBusyError" else [outcome.error or "it was not refused"]
    is_same = one(jobs.content, store=store).result == one(jobs.content, store=bench.template).result
    ledger.count("beside a writer", *broken, *([] if is_same else ["a refused erasure changed something"]))


def _job(do: Callable[..., Any], store: str, *, kill_at: str = "", **arguments: Any) -> Job:
    return Job(do=do, arguments={"store": store, **arguments}, kill_at=kill_at)

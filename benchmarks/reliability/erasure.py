"""Erasing footage by several rules, whole and killed between all steps: what is found of it afterwards."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reliability.erasure_jobs import ARCHIVE, write_noisy_archive
from benchmarks.reliability.kills_forks import Forks
from benchmarks.reliability.kills_server import NUM_AT_ONCE, Job, Outcome
from benchmarks.reliability.kills_stand_ins import write_queries
from benchmarks.reliability.section import Cell, Section
from storage.disk.crashpoints import CRASH_POINTS

MODULE = "benchmarks.reliability.erasure_jobs"
POINTS = (
    *(name for name in CRASH_POINTS if name.startswith("erasure.")),
    "shard.renamed",
    "snapshot.written",
)
WAYS = ("erase", "gc", "sweep")  # who finishes
Kill = tuple[str, str]  # at which point, finished by whom
COLUMNS = (
    "rule",
    "killed at",
    "finished by",
    "videos",
    "shards gone",
    "rewritten",
    "hits",
    "pieces sought",
    "found before",
    "found after",
)
INTRO = (
    "A store of five videos was made with stand-in models: shards, hits, pictures, answers, feedback, searches with "
    "their page, a quarantined video. Footage was erased by a rule, then pieces of the erased JPEGs, of the hits' "
    "pictures and of their text in the page, and the files' names were sought in every file of the store. The same was "
    "done with the process killed by SIGKILL at each step and the erasure finished by another command; the content had "
    "to be that of an erasure that nothing interrupted, and the archive, still there, was indexed again."
)


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
    row: tuple[Cell, ...]
    content: list[str]
    place: str  # of the pieces to seek


class Bench:
    """The stores of one run, and what went wrong."""

    def __init__(self, scratch: Path, forks: Forks) -> None:
        self.forks, self.scratch, self.faults = forks, scratch, list[str]()
        self.archive = write_noisy_archive(scratch / "archive")
        self.queries = write_queries(scratch / "queries.toml")
        self.template = str(scratch / "template")
        self.call("make", self.template, archive=str(self.archive), queries=str(self.queries))
        self.videos: dict[str, list[str]] = self.call("videos", self.template)

    def call(self, name: str, store: str, **arguments: Any) -> Any:
        """Runs one job that is to succeed; gives what it gave.

        Raises:
            RuntimeError: It did not.
        """
        (outcome,) = self.forks.run(_job(name, store, **arguments))
        if outcome.code or outcome.error:
            raise RuntimeError(f"{name} {arguments}: code {outcome.code}, {outcome.error}: {outcome.message}")
        return outcome.result

    def copy(self, name: str) -> str:
        """A store like the template."""
        return str(shutil.copytree(self.template, self.scratch / name))

    def check(self, holds: bool, complaint: str) -> None:
        """Notes a fault where something does not hold."""
        if not holds:
            self.faults.append(complaint)


def run(scratch: Path, *, short: bool) -> Section:
    """Tries the rules, then kills; a short run kills once at each step."""
    with Forks(scratch / "forks", (MODULE,)) as forks:
        bench = Bench(scratch, forks)
        rows = []
        for number, case in enumerate(CASES[:2] if short else CASES):
            whole = _erase_whole(bench, case)
            rows.append(whole.row)
            kills = _list_kills(short) if number == 0 or not short else []
            for start in range(0, len(kills), NUM_AT_ONCE):
                rows += _kill(bench, whole, kills[start : start + NUM_AT_ONCE])
        _check_refusal(bench)
    return Section(
        title="Erasure",
        intro=INTRO,
        columns=COLUMNS,
        rows=tuple(rows),
        faults=tuple(bench.faults),
        notes=("Freed blocks of the disk itself and copies made elsewhere are beyond this test.",),
    )


def _list_kills(short: bool) -> list[Kill]:
    ways = {point: (WAYS[number % len(WAYS)],) if short else WAYS for number, point in enumerate(POINTS)}
    return [(point, way) for point in POINTS for way in ways[point]]


def _erase_whole(bench: Bench, case: Case) -> Whole:
    """Erases without interruption."""
    store, place = bench.copy("whole"), str(bench.scratch / "pieces.json")
    number = bench.call("traces", store, video_ids=_ids(bench, case), place=place)
    before = len(bench.call("seek", store, place=place))
    went = bench.call("erase", store, **case.rule)
    told = bench.call("examine", store, archive=str(bench.archive), place=place)
    _check(bench, case, case.name, told)
    bench.check(0 < number <= before, f"{case.name}: {before} of {number} pieces were there before")
    bench.check(went["videos"] == len(_ids(bench, case)), f"{case.name}: {went['videos']} videos went")
    shutil.rmtree(store)
    counts = tuple(went[name] for name in ("videos", "shards", "rewritten", "hits"))
    row = (case.name, "", "", *counts, number, before, len(told["found"]))
    return Whole(case=case, row=row, content=told["content"], place=place)


def _kill(bench: Bench, whole: Whole, kills: Sequence[Kill]) -> list[tuple[Cell, ...]]:
    """Erases in a store each, is killed at a step, has another command finish, and compares with the whole one."""
    stores = [bench.copy(f"killed-{number}") for number in range(len(kills))]
    ended = bench.forks.run(
        *(
            _job("erase", store, kill_at=point, **whole.case.rule)
            for store, (point, _) in zip(stores, kills, strict=True)
        )
    )
    given = {"queries": str(bench.queries), "archive": str(bench.archive), "place": whole.place}
    finished = bench.forks.run(
        *(_job("finish_and_examine", store, how=way, **given) for store, (_, way) in zip(stores, kills, strict=True))
    )
    for store in stores:
        shutil.rmtree(store)
    return [_judge(bench, whole, *outcome) for outcome in zip(kills, ended, finished, strict=True)]


def _judge(bench: Bench, whole: Whole, kill: Kill, ended: Outcome, finished: Outcome) -> tuple[Cell, ...]:
    (point, way), told = kill, finished.result or {"said": [], "content": [], "found": [], "problems": [], "again": {}}
    label = f"{whole.case.name}, killed at {point}, finished by {way}"
    bench.check(not finished.error and finished.code == 0, f"{label}: {finished.error} {finished.message}")
    is_named = any("is unfinished" in problem for problem in told["said"])
    if ended.killed:
        bench.check(is_named == (point != "erasure.finished"), f"{label}: verify says {told['said']}")
    else:  # a rule that rewrites no shard publishes none
        bench.check(point == "shard.renamed" and not ended.error, f"{label}: {ended.error} {ended.message}")
    bench.check(told["content"] == whole.content, f"{label}: {_first_difference(whole.content, told['content'])}")
    _check(bench, whole.case, label, told)
    killed_at = point if ended.killed else "not passed"
    return (whole.case.name, killed_at, way, "", "", "", "", *whole.row[-3:-1], len(told["found"]))


def _check(bench: Bench, case: Case, label: str, told: dict[str, Any]) -> None:
    found, fits = told["found"], {"erased": len(_ids(bench, case)), "videos": 0}
    bench.check(not found, f"{label}: pieces found in {', '.join(sorted(set(found)))}")
    bench.check(not told["problems"], f"{label}: verify says {told['problems']}")
    bench.check(told["again"] == fits, f"{label}: indexing again gave {told['again']}, expected {fits}")


def _check_refusal(bench: Bench) -> None:
    store = bench.copy("refused")
    (outcome,) = bench.forks.run(_job("erase_while_swept", store))
    bench.check(outcome.error == "StoreBusyError", f"beside a writer: {outcome.error or 'not refused'}")
    bench.check(
        bench.call("content", store) == bench.call("content", bench.template), "a refused erasure changed something"
    )


def _job(name: str, store: str, *, kill_at: str = "", **arguments: Any) -> Job:
    return Job(name=name, module=MODULE, arguments={"store": store, **arguments}, kill_at=kill_at)


def _ids(bench: Bench, case: Case) -> list[str]:
    return [
        video_id
        for path, ids in bench.videos.items()
        if any(part in path for part in case.paths)
        for video_id in sorted(set(ids))
    ]


def _first_difference(expected: list[str], found: list[str]) -> str:
    lost, added = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    return f"{len(lost)} rows lost ({lost[:1]}), {len(added)} added ({added[:1]})"

"""What a sweep costs, beside other checkouts: python -m benchmarks.sweeps STORE --code OTHER [THIRD ...] --runs 3.

Each run sweeps a new copy of a store without hits, as a process of its own; the checkouts take turns. Prints medians,
and how far each checkout's hits differ from this one's. On a busy machine compare the processor time. A checkout whose
version can't read the store takes its own: --code OTHER=ITS_STORE.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import duckdb

HERE = Path(__file__).resolve().parent.parent
HITS = "SELECT query_name, camera, strftime(best_utc, '%H:%M:%S.%g'), tracklet_id, confidence FROM hits"
COST = "SELECT num_calls, num_candidates FROM sweeps ORDER BY finished_utc DESC LIMIT 1"
LEFT_OUT = ("hits", "reports", "claims", "locks", "runs", "temporary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One checkout with the store it sweeps."""

    code: Path
    store: Path

    @classmethod
    def read(cls, text: str, store: Path) -> "Side":
        """Reads ``CHECKOUT`` or ``CHECKOUT=STORE``."""
        code, _, own = text.partition("=")
        return cls(code=Path(code).resolve(), store=Path(own).resolve() if own else store)


@dataclass(slots=True, kw_only=True)
class Cost:
    """What the sweeps of one checkout cost, and what the last one found."""

    wall_seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    questions: int = 0
    candidates: int = 0
    hits: dict[str, float] = field(default_factory=dict)  # confidence by query, camera, time and tracklet

    def line(self, first: "Cost") -> str:
        """A row of the table; ``first`` is the cost of this checkout."""
        both = self.hits.keys() & first.hits.keys()
        apart = max((abs(self.hits[name] - first.hits[name]) for name in both), default=0.0)
        found = f"{len(self.hits)} hits, {len(both)} of them as here, confidences at most {apart:.1e} apart"
        times = f"{median(self.cpu_seconds):.2f} ({min(self.cpu_seconds):.2f} to {max(self.cpu_seconds):.2f})"
        clock = f"{median(self.wall_seconds):.1f} ({min(self.wall_seconds):.1f} to {max(self.wall_seconds):.1f})"
        return f"{times} | {clock} | {self.questions} questions, {self.candidates} candidates | {found}"


def sweep(side: Side, arguments: Sequence[str], cost: Cost) -> None:
    """Sweeps a copy of the store once and adds what that cost; raises CalledProcessError if it fails."""
    with tempfile.TemporaryDirectory(dir=side.store.parent) as folder:
        copy = Path(folder) / "store"
        shutil.copytree(side.store, copy, ignore=lambda at, _: LEFT_OUT if Path(at) == side.store else ())
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "flows.cli", "sweep", "--quiet", "--store", str(copy), *arguments]
        environment = os.environ | {"PYTHONPATH": str(side.code)}
        subprocess.run(command, env=environment, cwd=side.code, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost.wall_seconds.append(time.perf_counter() - began)
        cost.cpu_seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        with duckdb.connect(str(copy / "hits" / "hits.duckdb"), read_only=True) as hits:
            cost.questions, cost.candidates = hits.sql(COST).fetchall()[0]
            cost.hits = {" ".join(map(str, row)): confidence for *row, confidence in hits.sql(HITS).fetchall()}


def measure(sides: Sequence[Side], arguments: Sequence[str], runs: int) -> list[Cost]:
    """Sweeps in turn; the first round fills caches and does not count."""
    costs = [Cost() for _ in sides]
    for number in range(runs + 1):
        for side, cost in zip(sides, costs, strict=True):
            sweep(side, arguments, cost if number else Cost())
    return costs


def main() -> None:
    """Measures, prints a line for each checkout, this one first, and writes the numbers as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=__doc__)
    parser.add_argument("store", type=Path, help="an indexed store, such as demo-store; it is not changed")
    parser.add_argument("--code", nargs="*", default=[], help="other checkouts, each as FOLDER or FOLDER=STORE")
    parser.add_argument("--queries", type=Path, default=HERE / "configs/demo_archive/queries.toml")
    parser.add_argument("--settings", type=Path, default=HERE / "configs/demo_archive/settings.toml")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("sweeps.json"))
    options = parser.parse_args()
    store = options.store.resolve()
    sides = [Side(code=HERE, store=store), *(Side.read(text, store) for text in options.code)]
    arguments = ["--queries", str(options.queries.resolve()), "--settings", str(options.settings.resolve())]
    costs = measure(sides, arguments, options.runs)
    options.out.write_text(json.dumps([asdict(cost) for cost in costs], indent=1), encoding="utf-8")
    print("checkout | CPU s | wall s | asked | found")
    for side, cost in zip(sides, costs, strict=True):
        print(side.code, cost.line(costs[0]), sep=" | ")


if __name__ == "__main__":
    main()

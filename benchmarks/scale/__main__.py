"""Command line: `python -m benchmarks.scale --help`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measurements import Measurements
from benchmarks.scale.exact import find_exactly
from benchmarks.scale.filling import Filling, fill_store
from benchmarks.scale.report import draw, write_markdown
from benchmarks.scale.vectors import World
from storage.disk.layout import StoreLayout
from storage.gallery.compacting import compact_store, drop_indexes

K = 100
TRUTHS = 100  # queries whose exact best are looked up for the recall
STATES = ("loose", "compacted")


def main() -> int:
    """Fills the stores, searches them, and writes what it took."""
    options = read_options()
    options.scratch.mkdir(parents=True, exist_ok=True)
    measurements = Measurements(options.scratch / f"measurements-{options.dimension}.json")
    rows = [row for crops in options.crops for row in measure_store(options, measurements, int(crops))]
    text = write_markdown(rows)
    print(text)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        draw(rows, options.out.with_suffix(".png"))
    return 0


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks/scale/run", description=__doc__)
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(tempfile.gettempdir()) / "anomalylmm-scale",
        help="stores and what was measured",
    )
    parser.add_argument("--crops", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--dimension", type=int, default=206, help="206 as the pocket profile, 768 as SigLIP2-base")
    parser.add_argument("--rows-per-shard", type=int, default=10_000)
    parser.add_argument("--states", nargs="+", choices=STATES, default=STATES, help="before and after compacting")
    parser.add_argument("--out", type=Path, help="write JSON here, and the plot beside it")
    return parser.parse_args()


def measure_store(options: argparse.Namespace, measurements: Measurements, crops: int) -> list[dict[str, Any]]:
    """All measurements on one store."""
    filling = Filling(rows=crops, dimension=options.dimension, rows_per_shard=options.rows_per_shard)
    root = options.scratch / f"store-{crops}-{options.dimension}"
    measurements.once(f"{crops} fill", lambda: _timed(lambda: [None for _ in fill_store(root, filling)]))
    truth = measurements.once(f"{crops} truth", lambda: _find(root, filling))
    rows = []
    for state in options.states:
        if state == "compacted":
            measurements.once(f"{crops} compact", lambda: _timed(lambda: bring(root, filling, "compacted")))
        for queries in options.queries:
            trial = partial(search, root, filling, queries, truth, state)
            measured = measurements.once(f"{crops} {state} {queries}", trial)
            rows.append({"state": state, "dimension": options.dimension, "queries": queries, **measured})
    return rows


def bring(root: Path, filling: Filling, state: str) -> None:
    """Compacts the store, or takes its indexes away."""
    if state == "compacted":
        compact_store(StoreLayout(root))
    else:
        drop_indexes(StoreLayout(root), [filling.key(number).shard_id for number in range(filling.num_shards)])


def search(
    root: Path, filling: Filling, num_queries: int, truth: Sequence[Sequence[str]], state: str
) -> dict[str, Any]:
    """One search in a fresh process, after one that has brought the files into the system's cache."""
    bring(root, filling, state)
    command = [sys.executable, "-m", "benchmarks.scale.trial", str(root), filling.pipeline, str(filling.dimension)]
    told = {}
    for number in (1, num_queries):
        ran = subprocess.run([*command, str(number), str(K)], capture_output=True, text=True, check=True)
        told = json.loads(ran.stdout)
    found = told.pop("found")
    shares = [len(set(own) & set(best)) / len(best) for own, best in zip(found, truth, strict=False)]
    return {**told, "recall": sum(shares) / len(shares), "load": os.getloadavg()[0]}


def _find(root: Path, filling: Filling) -> list[list[str]]:
    return find_exactly(root, filling, World(filling.dimension).texts(TRUTHS), K)


def _timed(work: Callable[[], object]) -> dict[str, float]:
    began, used = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - used}


if __name__ == "__main__":
    raise SystemExit(main())

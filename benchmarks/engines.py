"""What each engine adds to its units: python -m benchmarks.engines --engines threads dask ray --workers 1 2 4 8.

A unit waits as long as a model on a device of its own would work, and takes no core; so what is lost is the engine's.
Each engine runs its units as plain functions, as the commands do, and with ``--tasks`` as Prefect tasks, as the flows
do, against Prefect's own test server. The first round, in which each worker imports what it needs, does not count.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.runs.artifacts import NOT_KEPT
from flows.settings.model import Settings
from flows.workers.engines import Engine, open_engine
from flows.workers.spreading import iter_done


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One engine with one number of workers."""

    engine: str
    kind: str  # plain or task
    workers: int
    start_seconds: float  # until all workers have done their first unit
    seconds: float  # median of the rounds
    efficiency: float  # of the time that the units themselves need on so many workers
    overhead_ms: float  # of a worker's time, for each unit


def wait(seconds: float) -> float:
    """Stands for one unit."""
    time.sleep(seconds)
    return seconds


wait_task: Any = task(wait, name="wait", **NOT_KEPT)


def measure(name: str, kind: str, workers: int, options: argparse.Namespace) -> Trial:
    """Times rounds of units on one engine that stays open."""
    units = workers * options.units
    chosen = {"engine": name, **({} if name == "threads" else {"per_machine": workers})}
    settings = Settings(workers=chosen, shards={"at_once": workers})
    began = time.perf_counter()
    took: list[float] = []
    with open_engine(settings, workers) as engine:
        submit = _choose(engine, kind)
        for number in range(options.rounds + 1):
            begun = time.perf_counter()
            done = list(iter_done(engine, [submit(options.device_seconds) for _ in range(units)]))
            if len(done) != units:
                raise SystemExit(f"{len(done)} of {units} units were done")
            took.append(time.perf_counter() - (begun if number else began))
    seconds, ideal = statistics.median(took[1:]), options.units * options.device_seconds
    return Trial(
        engine=name,
        kind=kind,
        workers=workers,
        start_seconds=round(took[0] - ideal, 2),
        seconds=round(seconds, 3),
        efficiency=round(ideal / seconds, 3),
        overhead_ms=round(1000 * (seconds - ideal) / options.units, 1),
    )


def _choose(engine: Engine, kind: str) -> Callable[[float], Any]:
    if kind == "plain":
        return lambda seconds: engine.submit(wait, seconds)
    return lambda seconds: engine.runner.submit(wait_task, {"seconds": seconds})


@flow(name="engines", persist_result=False)
def measure_tasks(name: str, workers: int, options: Any) -> Trial:
    """Measures Prefect tasks, which belong to a flow."""
    return measure(name, "task", workers, options)


def main() -> None:
    """Measures and prints; writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=["threads", "dask", "ray"], default=["threads"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--device-seconds", type=float, default=1.0, help="of one unit")
    parser.add_argument("--units", type=int, default=5, help="for each worker and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", action="store_true", help="also as Prefect tasks")
    parser.add_argument("--out", type=Path, default=Path("engines.json"))
    options = parser.parse_args()
    trials = []
    with ExitStack() as stack:
        if options.tasks:
            from prefect.testing.utilities import prefect_test_harness

            stack.enter_context(prefect_test_harness(240))
        for name in options.engines:
            for workers in options.workers:
                trials.append(measure(name, "plain", workers, options))
                print(trials[-1], flush=True)
                if options.tasks:
                    trials.append(measure_tasks(name, workers, options))
                    print(trials[-1], flush=True)
    options.out.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))


if __name__ == "__main__":
    main()

"""Waits for work that was given to an engine, and tells what became of each piece."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from anomalylmm.errors import AnomalyLMMError, EngineError
from flows.index.units.unit import UnitReport
from flows.runs.progress import Listener
from flows.runs.stopping import raise_if_stopped
from flows.workers.engines import Engine
from flows.workers.jobs import UnitJob, report_lost

WAIT_SECONDS = 1.0  # between two looks at whether a signal has stopped the program


@dataclass(frozen=True, slots=True)
class Lost:
    """What became of work whose workers died each time."""

    reason: str


def iter_done(engine: Engine, futures: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yields (position, result) of each future when it is done; ``Lost`` stands for work that no worker survived.

    Args:
        engine: The engine that the work was given to.
        futures: Futures of the engine or of its Prefect task runner.

    Raises:
        EngineError: The cluster is gone.
        AnomalyLMMError: The work itself failed.
    """
    done: SimpleQueue[int] = SimpleQueue()
    for position, future in enumerate(futures):
        future.add_done_callback(lambda _, position=position: done.put(position))
    for _ in futures:
        position = _wait(done)
        yield position, _read(engine, futures[position])


def wait_for(engine: Engine, future: Any) -> Any:
    """Waits for one future like ``iter_done``.

    Raises:
        EngineError: The cluster is gone.
        AnomalyLMMError: The work itself failed.
    """
    ((_, result),) = iter_done(engine, [future])
    return result


def _wait(done: "SimpleQueue[int]") -> int:
    while True:
        try:
            return done.get(timeout=WAIT_SECONDS)
        except Empty:
            raise_if_stopped()


def _read(engine: Engine, future: Any) -> Any:
    try:
        return future.result()
    except engine.lost as error:
        return Lost(f"each worker that began it died ({type(error).__name__})")
    except engine.gone as error:
        raise EngineError(
            f"the connection to {engine.name} was lost ({type(error).__name__}); look at its log, and run again: what "
            "is done is kept"
        ) from error
    except Exception as error:  # whatever class Ray wraps it in
        cause = getattr(error, "cause", None)  # Ray wraps what a task raised
        if isinstance(cause, AnomalyLMMError):
            raise cause from error
        raise


def gather(
    engine: Engine, jobs: Sequence[UnitJob], submit: Callable[[UnitJob], Any], listener: Listener
) -> list[UnitReport]:
    """Gives all jobs to the engine and returns their reports in the same order.

    Raises:
        EngineError: The cluster is gone, or a worker does not fit this run.
        AnomalyLMMError: A unit failed; the others are given up.
    """
    reports: dict[int, UnitReport] = {}
    for position, result in iter_done(engine, [submit(job) for job in jobs]):
        job = jobs[position]
        if isinstance(result, Lost):
            listener.warn(f"{job.name}: not indexed: {result.reason}")
        reports[position] = report_lost(job, result.reason) if isinstance(result, Lost) else result
        listener.advance("index MB", job.megabytes, job.name)
    return [reports[position] for position in range(len(jobs))]

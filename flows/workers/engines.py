"""Opens the engine that runs units of work. A library for clusters is imported only if the settings choose it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from anomalylmm.errors import ConfigurationError
from flows.runs.at_once import choose_number
from flows.settings.model import Settings

MODULES = {"dask": "prefect_dask", "ray": "prefect_ray"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that is ready for work."""

    name: str  # with its address
    runner: TaskRunner[Any]  # takes Prefect tasks, in a flow
    submit: Callable[..., Any]  # takes a function of a module and its arguments, anywhere; returns a future
    lost: tuple[type[BaseException], ...] = ()  # what a future raises if the workers died with the work
    gone: tuple[type[BaseException], ...] = ()  # what it raises if the cluster ended


def open_engine(settings: Settings, num_tasks: int) -> AbstractContextManager[Engine]:
    """Starts or reaches the engine of the settings.

    With ``pool`` it gives threads, for work other than the units of indexing, which ``index_in_pool`` takes. What is
    submitted to it gets and returns small plain data; on a cluster both travel between machines.

    Args:
        settings: Engine, address and number of workers are in the section ``workers``.
        num_tasks: How many tasks there are; no more threads or worker processes are started for them.

    Raises:
        ConfigurationError: The engine's extra is not installed.
        EngineError: The cluster can't be reached, has no workers, or has other versions than this program.
    """
    workers = settings.workers
    if workers.engine in {"threads", "pool"}:
        return _open_threads(choose_number(settings.shards.at_once, num_tasks))
    _check_installed(workers.engine)
    number = choose_number(workers.per_machine, num_tasks)
    if workers.engine == "dask":
        from flows.workers import dask_engine

        return dask_engine.opened(workers.address, number)
    from flows.workers import ray_engine

    return ray_engine.opened(workers, number, wants_gpu=settings.device != "cpu")


@contextmanager
def _open_threads(number: int) -> Iterator[Engine]:
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(number)
    with runner, ThreadPoolExecutor(number) as threads:
        yield Engine(name="threads", runner=runner, submit=threads.submit)


def _check_installed(engine: str) -> None:
    module = MODULES[engine]
    if find_spec(module) is None:
        raise ConfigurationError(
            f'workers.engine is "{engine}", but the package {module} is not installed; install the extra, here and on '
            f"every worker: pip install 'anomalylmm[{engine}]'"
        )

"""Opens the engine that runs units of work. A library for clusters is imported only if the settings choose it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from anomalylmm.errors import ConfigurationError
from flows.runs.at_once import choose_number
from flows.settings.model import Settings

MODULES = {"dask": "prefect_dask", "ray": "prefect_ray"}


@contextmanager
def open_task_runner(settings: Settings, num_tasks: int) -> Iterator[TaskRunner[Any]]:
    """Starts or reaches the engine of the settings and gives Prefect's task runner for it.

    Tasks that are submitted to it get and return small plain data; on a cluster both travel between machines.

    Args:
        settings: Engine, address and number of workers are in the section ``workers``.
        num_tasks: How many tasks there are; no more threads or worker processes are started for them.

    Raises:
        ConfigurationError: The engine's extra is not installed.
        EngineError: The cluster can't be reached, has no workers, or has other versions than this program.
    """
    workers = settings.workers
    if workers.engine == "threads":
        threads: TaskRunner[Any] = ThreadPoolTaskRunner(choose_number(settings.shards.at_once, num_tasks))
        with threads:
            yield threads
        return
    _check_installed(workers.engine)
    number = choose_number(workers.per_machine, num_tasks)
    if workers.engine == "dask":
        from flows.workers import dask_engine

        with dask_engine.opened(workers.address, number) as runner:
            yield runner
    else:
        from flows.workers import ray_engine

        with ray_engine.opened(workers, number, wants_gpu=settings.device != "cpu") as runner:
            yield runner


def _check_installed(engine: str) -> None:
    module = MODULES[engine]
    if find_spec(module) is None:
        raise ConfigurationError(
            f'workers.engine is "{engine}", but the package {module} is not installed; install the extra, here and on '
            f"every worker: pip install 'anomalylmm[{engine}]'"
        )

"""Dask: a scheduler and worker processes that wait for work, or a cluster started on this machine for one run."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any

import dask.config
from distributed import KilledWorker
from distributed.comm.core import CommClosedError
from distributed.versions import VersionMismatchWarning
from prefect_dask import DaskTaskRunner

from anomalylmm.errors import EngineError
from flows.workers.engines import Engine
from flows.workers.reaching import CONNECT_SECONDS, check_reachable

WORKER_SECONDS = 30.0  # for the first worker to appear
PACKAGES = ("dask", "distributed", "prefect", "anomalylmm")  # workers must have the same versions, a scheduler two
REMEDY = "install the same versions of Python and of anomalylmm[dask] on all machines"


@contextmanager
def opened(address: str, number: int) -> Iterator[Engine]:
    """Connects to a scheduler, or starts a number of worker processes on this machine.

    Workers of our own work on one unit at a time. They have no limit of memory, for Dask would take the models for a
    leak.

    Raises:
        EngineError: The scheduler can't be reached, has no workers, or has other versions.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # a worker that takes a while to end is no news
    client = {"timeout": CONNECT_SECONDS}
    if address:
        check_reachable("the Dask scheduler", address, "dask scheduler")
        runner = DaskTaskRunner(address=address, client_kwargs=client)
    else:
        cluster = {"n_workers": number, "threads_per_worker": 1, "memory_limit": 0}
        own = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        runner = DaskTaskRunner(cluster_kwargs={**cluster, **own}, client_kwargs=client)
    with runner:
        with dask.config.set({"distributed.nanny.pre-spawn-environ": _share_cores(number)}):
            _connect(runner, address)
        yield Engine(
            name=f"the Dask scheduler at {address or 'this machine'}",
            runner=runner,
            submit=partial(runner.client.submit, pure=False),
            lost=(KilledWorker,),
            gone=(CancelledError, CommClosedError),
        )


def _share_cores(number: int) -> dict[str, int]:
    """Returns variables by which a worker's libraries take their share of the cores; Dask would give them one."""
    cores = max(1, len(os.sched_getaffinity(0)) // number)
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), cores)


def _connect(runner: DaskTaskRunner, address: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)  # where versions matter, it is an error
        try:
            runner.client.wait_for_workers(1, timeout=WORKER_SECONDS)
            found = runner.client.get_versions(packages=list(PACKAGES[2:]))
        except TimeoutError as error:
            raise EngineError(
                f"the Dask scheduler at {address} has no workers; start some on each machine: "
                f"dask worker {address} --nthreads 1 --memory-limit 0"
            ) from error
        except (OSError, ValueError, TypeError) as error:
            raise EngineError(
                f"the Dask scheduler at {address} does not answer as expected ({error}), perhaps because it has "
                f"another version; {REMEDY}"
            ) from error
    check_versions(found)


def check_versions(found: Any) -> None:
    """Compares the versions of scheduler and workers with those of this program.

    Args:
        found: What ``Client.get_versions`` returns.

    Raises:
        EngineError: One differs; names it.
    """
    own = found["client"]["packages"]
    workers = [(f"the Dask worker {name}", info, PACKAGES) for name, info in found["workers"].items()]
    sides: list[tuple[str, Any, Sequence[str]]] = [("the Dask scheduler", found["scheduler"], PACKAGES[:2]), *workers]
    for side, info, packages in sides:
        if not isinstance(info, dict):  # a worker that has just ended
            continue
        theirs = info["packages"]
        wrong = [name for name in packages if theirs.get(name) != own.get(name)]
        if _minor(theirs["python"]) != _minor(own["python"]):
            wrong.append("python")
        if wrong:
            name = wrong[0]
            raise EngineError(f"{side} has {name} {theirs.get(name)}, but this program has {own.get(name)}; {REMEDY}")


def _minor(version: str) -> list[str]:
    """Returns major and minor version; functions that Python 3.12 wrote can't be read by 3.11."""
    return version.split(".")[:2]

"""Ray: a head and the worker processes of its nodes, or a cluster started on this machine for one run."""

import logging
import math
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import ray
from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options
from ray.exceptions import NodeDiedError, OutOfMemoryError, RaySystemError, WorkerCrashedError

from anomalylmm.errors import EngineError
from flows.settings.workers_section import WorkersSettings
from flows.workers.engines import Engine
from flows.workers.reaching import check_reachable

OWN = "local"  # a new cluster, even if one runs on this machine
OBJECT_STORE_BYTES = 100 << 20  # arguments and results are small


@contextmanager
def opened(settings: WorkersSettings, number: int, *, wants_gpu: bool) -> Iterator[Engine]:
    """Connects to a head, or starts a number of worker processes on this machine.

    Args:
        settings: Address, and tasks on a machine at a time.
        number: How many worker processes to start if there is no address.
        wants_gpu: Whether tasks use a GPU where the machines have one.

    Raises:
        EngineError: The head can't be reached, or has another version.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}  # workers have their own logs
    if settings.address:
        check_reachable("Ray", settings.address, "ray start --head")
    else:
        options |= {"num_cpus": number, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    runner = RayTaskRunner[Any](address=settings.address or OWN, init_kwargs=options)
    with _connected(runner):
        shares = share_out(ray.nodes(), settings.per_machine if settings.address else number, wants_gpu=wants_gpu)
        options = {**shares, "scheduling_strategy": "SPREAD"}
        with remote_options(**options):
            yield Engine(
                name=f"Ray at {settings.address or 'this machine'}",
                runner=runner,
                submit=lambda work, *arguments: ray.remote(work).options(**options).remote(*arguments).future(),
                lost=(WorkerCrashedError, NodeDiedError, OutOfMemoryError),
                gone=(RaySystemError, ConnectionError),
            )


@contextmanager
def _connected(runner: RayTaskRunner[Any]) -> Iterator[None]:
    """Enters the task runner, and undoes what Ray does to a program: it prints to standard output and takes signals."""
    stop = signal.getsignal(signal.SIGTERM)
    with redirect_stdout(sys.stderr):  # where results are printed only later
        try:
            runner.__enter__()
        except (RuntimeError, ConnectionError) as error:
            raise EngineError(
                f"Ray at {runner.address} can't be used: {' '.join(str(error).split())}; install the same versions of "
                "Python and of anomalylmm[ray] on all machines"
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)  # Ray's own would end the program with code 15
        try:
            yield
        finally:
            runner.__exit__(None, None, None)


def share_out(nodes: Sequence[Mapping[str, Any]], per_machine: int, *, wants_gpu: bool) -> dict[str, float]:
    """Returns the processors and GPUs of one task, such that the smallest machine works on ``per_machine`` at a time.

    Args:
        nodes: What ``ray.nodes`` returns.
        per_machine: Tasks on a machine at a time; 0: one for each processor.
        wants_gpu: Whether tasks use a GPU where the machines have one.
    """
    machines = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    cpus = min((machine["CPU"] for machine in machines), default=1.0)
    number = per_machine or max(1, int(cpus))
    gpus = min((machine.get("GPU", 0.0) for machine in machines), default=0.0) if wants_gpu else 0.0
    return {"num_cpus": _share(cpus, number), **({"num_gpus": _share(gpus, number)} if gpus else {})}


def _share(amount: float, number: int) -> float:
    """Divides what a machine has; Ray takes parts of one, but no parts of several."""
    share = amount / number
    return float(math.floor(share)) if share > 1 else share

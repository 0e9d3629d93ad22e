"""Jobs in processes of their own, forked from one that has imported everything and started no thread.

Imports take seconds and a job much less; forking before any pool of threads exists makes five hundred kills possible.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import mock

from anomalylmm.errors import AnomalyLMMError
from storage.disk import crashpoints

Item = TypeVar("Item")
NUM_AT_ONCE = int(os.environ.get("FAULTS_AT_ONCE", "2"))  # stores tried side by side
LINGER_SECONDS = 90.0  # a decoder whose parent is gone must be gone too by then; it takes a moment on a quiet machine
PATIENCE_SECONDS = 1200.0  # what takes longer hangs; jobs take seconds, but machines may be busy
KINDS_WITH_JOBS = ("", ".disk", ".erasure", ".footage", ".together")
MODULES = ("pytest", *(f"tests.faults{kind}.jobs" for kind in KINDS_WITH_JOBS))  # imported before anything is forked
_PAUSE_SECONDS = 0.002
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call in a process of its own, and how that process is to end."""

    do: Callable[..., Any]  # of a module; gives what JSON can hold
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kill_at: str = ""  # crash point
    kill_count: int = 1  # the how many-th passing of it
    kill_after: float | None = None  # seconds
    patience: float = PATIENCE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job's process ended."""

    code: int  # negative: the signal that ended it
    result: Any = None
    error: str = ""  # name of the exception's class
    message: str = ""
    seconds: float = 0.0
    orphans: int = 0  # child processes that outlived it

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL

    @property
    def failure(self) -> str:
        """How it failed; empty where it did its work."""
        return f"code {self.code} {self.error} {self.message}" if self.code or self.error else ""


def run(*jobs: Job) -> list[Outcome]:
    """Runs jobs at once and waits for all."""
    _start_server()
    with TemporaryDirectory() as folder:
        places = [Path(folder, str(number)) for number in range(len(jobs))]
        processes = [_CONTEXT.Process(target=_work, args=pair) for pair in zip(jobs, places, strict=True)]
        for process in processes:
            process.start()
        began, ended = time.monotonic(), dict[int, float]()
        while len(ended) < len(jobs):
            passed = time.monotonic() - began
            for number, (job, process) in enumerate(zip(jobs, processes, strict=True)):
                if process.exitcode is not None:
                    ended.setdefault(number, passed)
                elif passed > job.patience:
                    process.terminate()  # seen as such: it hung
                elif job.kill_after is not None and passed >= job.kill_after:
                    process.kill()
            time.sleep(_PAUSE_SECONDS)
        return [
            _read(places[number], int(process.exitcode or 0), ended[number], _count_orphans(int(process.pid or 0)))
            for number, process in enumerate(processes)
        ]


def one(do: Callable[..., Any], **arguments: Any) -> Outcome:
    """Runs one job that is to succeed.

    Raises:
        RuntimeError: It did not.
    """
    (outcome,) = run(Job(do=do, arguments=arguments))
    if outcome.failure:
        raise RuntimeError(f"{do.__name__} {arguments}: {outcome.failure}")
    return outcome


def try_all(items: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Does the work for all items, some at once."""
    with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
        list(threads.map(work, items))


@cache
def _start_server() -> None:
    _CONTEXT.set_forkserver_preload(list(MODULES))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    search_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with mock.patch.dict(os.environ, {**one_thread, "PYTHONPATH": search_path}):
        forkserver.ensure_running()


def _work(job: Job, place: Path) -> None:
    """Does the job in this process, leaves word of it, and ends the process."""
    try:
        os.setpgid(0, 0)  # its own children are found by their group
        os.dup2(2, 1)
        told = _try(job)
        building = place.with_suffix(".building")
        building.write_text(json.dumps(told))
        building.replace(place)
    finally:
        os._exit(0)


def _try(job: Job) -> dict[str, Any]:
    if job.kill_at:
        crashpoints.hooks.append(_killer(job.kill_at, job.kill_count))
    try:
        return {"result": job.do(**job.arguments)}
    except AnomalyLMMError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - told to the parent
        return {"error": type(error).__name__, "message": traceback.format_exc(limit=-6)}


def _killer(point: str, count: int) -> Callable[[str], None]:
    left = [count]

    def end(name: str) -> None:
        left[0] -= name == point
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return end


def _read(place: Path, code: int, seconds: float, orphans: int) -> Outcome:
    told = json.loads(place.read_text()) if place.exists() and code == 0 else {}
    return Outcome(code=code, seconds=seconds, orphans=orphans, **told)


def _count_orphans(group: int) -> int:
    """Processes of the group that do not end by themselves; those are ended."""
    began = time.monotonic()
    while left := _living(group):
        if time.monotonic() - began > LINGER_SECONDS:
            for process_id in left:
                os.kill(process_id, signal.SIGKILL)
            return len(left)
        time.sleep(0.02)
    return 0


def _living(group: int) -> list[int]:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []  # the usual case, without a walk through all processes
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _belongs(path, group)]


def _belongs(path: Path, group: int) -> bool:
    try:
        state, _, of = (path / "stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return False  # it ended while we looked
    return int(of) == group and state not in "ZX"

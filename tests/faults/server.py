"""A process that has imported everything and started no thread, and forks one child for each job it is sent.

Imports take seconds and a job much less; forking before any pool of threads exists makes five hundred kills possible.
Lines of JSON come in, each a list of jobs to run at once; a line of outcomes goes out for each.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from anomalylmm.errors import AnomalyLMMError
from storage.disk import crashpoints

LINGER_SECONDS = 90.0  # a decoder whose parent is gone must be gone too by then; it takes a moment on a quiet machine
PATIENCE_SECONDS = 1200.0  # what takes longer hangs; jobs take seconds, but machines may be busy
_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call in a process of its own, and how that process is to end."""

    name: str  # of the function in ``module``'s JOBS
    arguments: Mapping[str, Any]
    module: str = "tests.faults.jobs"
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
    expected: bool = True  # an error of the project's own tree, or none
    seconds: float = 0.0
    orphans: int = 0  # child processes that outlived it

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


def serve(scratch: Path) -> None:
    """Runs what comes by standard input until it ends."""
    for line in sys.stdin:
        jobs = [Job(**fields) for fields in json.loads(line)]
        _say(json.dumps([asdict(outcome) for outcome in _run(jobs, scratch)]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run(jobs: Sequence[Job], scratch: Path) -> list[Outcome]:
    began = time.monotonic()
    places = [scratch / f"outcome-{os.getpid()}-{number}.json" for number in range(len(jobs))]
    running = {_fork(job, place): number for number, (job, place) in enumerate(zip(jobs, places, strict=True))}
    groups = {number: process_id for process_id, number in running.items()}
    ended: dict[int, tuple[int, float]] = {}
    while running:
        passed = time.monotonic() - began
        for process_id, number in list(running.items()):
            _kill_in_time(process_id, jobs[number], passed)
            found, status = os.waitpid(process_id, os.WNOHANG)
            if found:
                ended[number] = (os.waitstatus_to_exitcode(status), passed)
                del running[process_id]
        time.sleep(_PAUSE_SECONDS)
    return [_read(places[number], *ended[number], _count_orphans(groups[number])) for number in range(len(jobs))]


def _kill_in_time(process_id: int, job: Job, passed: float) -> None:
    if passed > job.patience:
        os.kill(process_id, signal.SIGTERM)  # seen as such: it hung
    if job.kill_after is not None and passed >= job.kill_after:
        os.kill(process_id, signal.SIGKILL)


def _fork(job: Job, place: Path) -> int:
    place.unlink(missing_ok=True)
    process_id = os.fork()
    if process_id:
        return process_id
    try:
        os.setpgid(0, 0)  # its own children are found by their group
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        told = _try(job)
        building = place.with_suffix(f".{os.getpid()}")
        building.write_text(json.dumps(told))
        building.replace(place)
    finally:
        os._exit(0)


def _try(job: Job) -> dict[str, Any]:
    """Does the job; gives its result or what went wrong."""
    if job.kill_at:
        crashpoints.install(_killer(job.kill_at, job.kill_count))
    try:
        return {"result": import_module(job.module).JOBS[job.name](**job.arguments)}
    except AnomalyLMMError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - told to the parent
        return {"error": type(error).__name__, "message": traceback.format_exc(limit=-6), "expected": False}


def _killer(point: str, count: int) -> Any:
    left = [count]

    def end(name: str) -> None:
        if name == point:
            left[0] -= 1
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


if __name__ == "__main__":
    for name in sys.argv[2:]:
        import_module(name)
    _say("ready")
    serve(Path(sys.argv[1]))
    os._exit(0)  # nothing is left to tidy up, and libraries take their time over it

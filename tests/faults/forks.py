"""The near end of the fork server: sends it jobs and reads how they ended."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from tests.faults.server import Job, Outcome

Item = TypeVar("Item")
NUM_AT_ONCE = int(os.environ.get("FAULTS_AT_ONCE", "2"))  # stores tried side by side

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
JOB_MODULES = ("tests.faults.jobs",)
Pool = SimpleQueue["Forks"]


class Forks:
    """A fork server of this process; a context manager that ends it."""

    def __init__(self, scratch: Path, modules: tuple[str, ...] = JOB_MODULES) -> None:
        """Starts it; its imports go on while the caller does other things."""
        scratch.mkdir(parents=True, exist_ok=True)
        search_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server", str(scratch), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": search_path},
        )
        self._ready = False

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the server."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()

    def run(self, *jobs: Job) -> list[Outcome]:
        """Runs jobs at once and waits for all.

        Raises:
            RuntimeError: The server is gone.
        """
        if not self._ready:
            self._ready = self._receive() == "ready\n"
        if self._process.stdin is None:
            raise RuntimeError("the fork server has no pipe")
        self._process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self._process.stdin.flush()
        return [Outcome(**fields) for fields in json.loads(self._receive())]

    def one(self, name: str, *, module: str = JOB_MODULES[0], **arguments: object) -> Outcome:
        """Runs one job that is to succeed.

        Raises:
            RuntimeError: It did not.
        """
        (outcome,) = self.run(Job(name=name, module=module, arguments=arguments))
        if outcome.code or outcome.error:
            raise RuntimeError(f"{name} {arguments}: code {outcome.code}, {outcome.error}: {outcome.message}")
        return outcome

    def _receive(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"the fork server ended ({self._process.wait()}), by its own error or from outside")
        return line


@contextmanager
def open_forks(scratch: Path, modules: tuple[str, ...] = JOB_MODULES) -> Iterator[Pool]:
    """A pool of fork servers, as many as stores are tried side by side."""
    servers: Pool = SimpleQueue()
    with ExitStack() as stack:
        for number in range(NUM_AT_ONCE):
            servers.put(stack.enter_context(Forks(scratch / f"server-{number}", modules)))
        yield servers


def try_all(servers: Pool, items: Iterable[Item], work: Callable[[Forks, Item], object]) -> None:
    """Does the work for all items, each with a fork server of its own."""

    def do(item: Item) -> None:
        forks = servers.get()
        try:
            work(forks, item)
        finally:
            servers.put(forks)

    with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
        list(threads.map(do, items))

"""Long work of the desk, one piece after another in a thread of its own; it goes on when the page is closed."""

import asyncio
import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from anomalylmm.errors import AnomalyLMMError, ConfigurationError
from flows.clock import utc_now
from flows.runs.progress import Listener
from flows.runs.terminal import visible

MAX_KEPT = 50  # jobs with their results
MAX_WAITING = 20
POLL_SECONDS, BEAT_SECONDS = 0.25, 15.0
_log = logging.getLogger(__name__)
FAILED = "This failed unexpectedly; the desk's log says why."
JobState = Literal["waiting", "running", "done", "failed"]


@dataclass(slots=True, kw_only=True)
class Job:
    """One piece of work and how far it is."""

    job_id: str
    kind: Literal["search", "export"]
    title: str
    who: str
    asked: Any = field(repr=False)  # what was asked for
    began: datetime
    state: JobState = "waiting"
    stage: str = ""
    amount: float = 0.0
    total: float = 0.0
    message: str = ""  # why it failed
    warnings: list[str] = field(default_factory=list)
    result: Any = field(repr=False, default=None)
    version: int = 0  # counts changes

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed")

    def describe(self) -> dict[str, Any]:
        """How far it is, for a page's script."""
        return {name: getattr(self, name) for name in ("state", "stage", "amount", "total", "message")}


class Jobs:
    """The jobs of one desk. ``models`` is held while one runs, because models serve one thread at a time."""

    def __init__(self) -> None:
        self.models = threading.Lock()
        self._lock, self._queue = threading.Lock(), queue.Queue[tuple[Job, Callable[[Listener], Any]]]()
        self._jobs: dict[str, Job] = {}
        self._thread: threading.Thread | None = None
        self._stamp: object = None
        self._is_prepared = False

    def submit(
        self, kind: Literal["search", "export"], title: str, who: str, asked: Any, work: Callable[[Listener], Any]
    ) -> Job:
        """Puts work in the queue.

        Raises:
            ConfigurationError: Too much waits there already.
        """
        job = Job(job_id=secrets.token_hex(8), kind=kind, title=title, who=who, asked=asked, began=utc_now())
        with self._lock:
            if sum(other.state == "waiting" for other in self._jobs.values()) >= MAX_WAITING:
                raise ConfigurationError(f"{MAX_WAITING} searches and exports are waiting already; try again later")
            self._jobs[job.job_id] = job
            for old in [other for other in self._jobs.values() if other.is_over][: max(0, len(self._jobs) - MAX_KEPT)]:
                del self._jobs[old.job_id]
            self._queue.put((job, work))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="desk jobs", daemon=True)
                self._thread.start()
        return job

    def prepare(self, work: Callable[[], None]) -> None:
        """Does work in the background that later jobs need, such as loading models; only the first call counts."""
        with self._lock:
            if self._is_prepared:
                return
            self._is_prepared = True
        threading.Thread(target=self._prepare, args=(work,), name="desk models", daemon=True).start()

    def _prepare(self, work: Callable[[], None]) -> None:
        with self.models, suppress(AnomalyLMMError):  # the first job says what is wrong
            work()

    def forget_unless(self, stamp: object) -> bool:
        """Forgets all results if the stamp is not the last one; returns whether it did."""
        with self._lock:
            has_changed = self._stamp is not None and stamp != self._stamp
            self._stamp = stamp
            if has_changed:
                self._jobs = {job_id: job for job_id, job in self._jobs.items() if not job.is_over}
        return has_changed

    def find(self, job_id: str) -> Job | None:
        """A job; None if it is not kept (any more)."""
        with self._lock:
            return self._jobs.get(job_id)

    def list(self, kind: str) -> list[Job]:
        """The jobs of one kind, newest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if job.kind == kind]

    def _work(self) -> None:
        while True:
            job, work = self._queue.get()
            _change(job, state="running")
            try:
                with self.models:
                    result = work(_JobListener(job))
                _change(job, state="done", result=result)
            except AnomalyLMMError as error:
                _change(job, state="failed", message=visible(str(error)))
            except Exception:  # noqa: BLE001 - the thread goes on with the next job
                _log.exception("a job of the review desk failed")
                _change(job, state="failed", message=FAILED)


async def follow(job: Job) -> AsyncIterator[str]:
    """Tells of a job as server-sent events, until it is over."""
    seen, spoke = -1, time.monotonic()
    while True:
        if job.version != seen:
            seen, spoke = job.version, time.monotonic()
            yield f"data: {json.dumps(job.describe())}\n\n"
            if job.is_over:
                return
        elif time.monotonic() - spoke > BEAT_SECONDS:
            spoke = time.monotonic()
            yield ": still there\n\n"
        await asyncio.sleep(POLL_SECONDS)


class _JobListener(Listener):
    """Notes the progress of a job in it."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def start(self, stage: str, total: float) -> None:
        """Begins a stage."""
        _change(self._job, stage=stage, amount=0.0, total=float(total))

    def advance(self, stage: str, amount: float, note: str = "") -> None:  # noqa: ARG002 - the base has it
        """Reports that part of a stage is done."""
        _change(self._job, stage=stage, amount=self._job.amount + amount)

    def warn(self, message: str) -> None:
        """Keeps a warning."""
        self._job.warnings.append(visible(message))


def _change(job: Job, **values: Any) -> None:
    for name, value in values.items():
        setattr(job, name, value)
    job.version += 1

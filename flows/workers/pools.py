"""Runs units as runs of the deployment ``index-unit``, which the workers of a Prefect work pool take one by one."""

import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled
from pydantic import TypeAdapter

from anomalylmm.errors import EngineError
from flows.index.units.unit import UnitReport
from flows.runs.progress import Listener
from flows.runs.stopping import raise_if_stopped
from flows.runs.terminal import visible
from flows.serve.automations import ensure_zombie_automation
from flows.workers.jobs import UnitJob, report_lost
from storage.disk.notes import revive

REPORT_TYPE = "unit-report"  # of the artifact in which a run leaves its report
DEPLOYMENT = "index-unit/index-unit"
REPORT = TypeAdapter(UnitReport)
POLL_SECONDS = 2.0
MAX_OPEN = 400  # runs that wait or work at a time
PAGE = 200  # runs that the server tells about at once
MAX_TRIES = 3
IDLE_SECONDS = 300.0  # without any run beginning, before the operator is told
SERVER_SECONDS = 900.0  # for which the server may be away, as it is for an upgrade


def index_in_pool(jobs: Sequence[UnitJob], queue: str, listener: Listener) -> list[UnitReport]:
    """Gives all jobs to the pool, waits, and returns their reports in the same order.

    A run that failed or crashed is begun again, by another worker if there is one. After the last try the videos of
    the unit are reported as not read.

    Args:
        jobs: The units.
        queue: Work queue of the pool; empty for that of the deployment.
        listener: Receives the progress.

    Raises:
        EngineError: There is no such deployment, or the server can't be reached.
    """
    ensure_zombie_automation()
    with get_client(sync_client=True) as client:
        return _Pool(client, _find_deployment(client), jobs, queue, listener).work()


def _find_deployment(client: SyncPrefectClient) -> UUID:
    try:
        return client.read_deployment_by_name(DEPLOYMENT).id
    except ObjectNotFound as error:
        raise EngineError(
            f"the Prefect server at {client.api_url} has no deployment {DEPLOYMENT!r}; register it with "
            "`prefect deploy --all` or start `anomalylmm serve`, and see that PREFECT_API_URL names the right server"
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        raise EngineError(
            f"the Prefect server at {client.api_url} can't be reached: {error}; start it, or correct PREFECT_API_URL"
        ) from error


class _Pool:
    """The runs of one index run."""

    def __init__(
        self, client: SyncPrefectClient, deployment: UUID, jobs: Sequence[UnitJob], queue: str, listener: Listener
    ) -> None:
        self._client, self._deployment, self._queue, self._listener = client, deployment, queue, listener
        self._jobs = jobs
        self._serials = [0] * len(jobs)  # of the present run of each job, for its key
        self._tries = [0] * len(jobs)
        self._waiting = deque(range(len(jobs)))
        self._open: dict[UUID, int] = {}
        self._reports: dict[int, UnitReport] = {}
        self._moved = self._answered = time.monotonic()

    def work(self) -> list[UnitReport]:
        """Begins runs and waits until all are done; if it is stopped, the runs that no worker has taken are, too."""
        try:
            while self._waiting or self._open:
                try:
                    self._step()
                    self._answered = time.monotonic()
                except httpx.HTTPError as error:
                    self._bear(error)
                time.sleep(POLL_SECONDS)
                raise_if_stopped()
        except BaseException:  # Ctrl-C, too: units that wait are not begun any more
            self._cancel()
            raise
        return [self._reports[position] for position in range(len(self._jobs))]

    def _step(self) -> None:
        while self._waiting and len(self._open) < MAX_OPEN:
            self._begin(self._waiting[0])
            self._waiting.popleft()
        runs = [run for page in self._pages() for run in page]
        for run in runs:
            if run.state is not None and run.state.is_final():
                self._end(run)
        for run_id in self._open.keys() - {run.id for run in runs}:
            self._fail(self._open.pop(run_id), "its run was deleted on the server")
        self._look_for_workers(runs)

    def _bear(self, error: httpx.HTTPError) -> None:
        """Lets the server be away for a while.

        Raises:
            EngineError: It has been away for too long, or it has refused what it was asked.
        """
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500:
            raise EngineError(
                f"the Prefect server at {self._client.api_url} has refused a unit: {error}; correct workers.queue, or "
                "shards.max_videos if units have become too long"
            ) from error
        if time.monotonic() - self._answered > SERVER_SECONDS:
            raise EngineError(
                f"the Prefect server at {self._client.api_url} has not answered for {SERVER_SECONDS / 60:.0f} minutes: "
                f"{error}; start it and run again: what is done is kept"
            ) from error

    def _begin(self, position: int) -> None:
        """Begins a run, or finds the one that an index run which was killed has begun and that is not over."""
        job = self._jobs[position]
        text, key = job.to_text(), job.key
        while True:
            run = self._client.create_flow_run_from_deployment(
                self._deployment,
                parameters={"job": text},
                name=job.name,
                idempotency_key=f"{key}-{self._serials[position]}",
                work_queue_name=self._queue or None,
            )
            if run.state is None or not run.state.is_final():
                break
            self._serials[position] += 1
        self._open[run.id] = position
        self._tries[position] += 1

    def _look_for_workers(self, runs: Sequence[FlowRun]) -> None:
        if any(run.state is not None and run.state.type != StateType.SCHEDULED for run in runs):
            self._moved = time.monotonic()
        elif time.monotonic() - self._moved > IDLE_SECONDS:
            self._moved = time.monotonic()
            self._listener.warn(
                f"no worker has taken any of {len(self._open)} units for {IDLE_SECONDS / 60:.0f} minutes; start some, "
                "for example: prefect worker start --pool anomalylmm"
            )

    def _pages(self) -> Iterator[list[FlowRun]]:
        ids = list(self._open)
        for start in range(0, len(ids), PAGE):
            chosen = FlowRunFilter(id=FlowRunFilterId(any_=ids[start : start + PAGE]))
            yield self._client.read_flow_runs(flow_run_filter=chosen, limit=PAGE)

    def _end(self, run: FlowRun) -> None:
        report = self._read_report(run)
        position = self._open.pop(run.id)
        if report is not None:
            self._keep(position, report)
            return
        state = run.state.name if run.state else "without a state"
        self._fail(position, visible(f"its run ended {state}: {(run.state and run.state.message) or 'no message'}"))

    def _fail(self, position: int, reason: str) -> None:
        job = self._jobs[position]
        if self._tries[position] < MAX_TRIES:
            self._listener.warn(f"{job.name}: {reason}; it is tried again")
            self._waiting.append(position)
            return
        self._listener.warn(f"{job.name}: {reason}; it was the last of {MAX_TRIES} tries")
        self._keep(position, report_lost(job, reason))

    def _keep(self, position: int, report: UnitReport) -> None:
        job = self._jobs[position]
        self._reports[position] = report
        self._listener.advance("index MB", job.megabytes, job.name)

    def _read_report(self, run: FlowRun) -> UnitReport | None:
        """Reads what the run left for the index run; None if it did not complete."""
        if run.state is None or not run.state.is_completed():
            return None
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        for artifact in self._client.read_artifacts(flow_run_filter=chosen):
            if artifact.type == REPORT_TYPE:
                return revive(json.loads(str(artifact.data)), REPORT)
        return None

    def _cancel(self) -> None:
        with suppress(httpx.HTTPError):
            for run in (run for page in self._pages() for run in page):
                if run.state is not None and run.state.type in {StateType.SCHEDULED, StateType.PENDING}:
                    self._client.set_flow_run_state(run.id, Cancelled(message="the index run was stopped"))

"""Units as runs in a Prefect work pool, with a stand-in for the server."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Scheduled, State

from anomalylmm.errors import EngineError
from flows.workers import pools
from flows.workers.jobs import UnitJob, report_lost
from storage.disk.notes import to_json
from tests.flows.workers.planned_jobs import plan_jobs
from tests.listeners import Notes

DONE, DEAD, WRONG, BUSY = Completed(), Crashed(message="killed"), Failed(message="EngineError: no mount"), Running()
WAITS = Scheduled()


class Server:
    """Remembers runs by their key; ``fates`` are the states that runs of each job end in, in turn."""

    api_url = "http://server/api"

    def __init__(self, fates: Callable[[str, int], State[Any]]) -> None:
        self.runs: dict[str, Any] = {}
        self._fates, self._numbers, self.queues = fates, count(), set[str | None]()
        self.outages = 0
        self.most_open = 0

    def create_flow_run_from_deployment(
        self, deployment_id: Any, *, parameters: Any, name: str, idempotency_key: str, work_queue_name: str | None
    ) -> Any:
        self.queues.add(work_queue_name)
        if idempotency_key not in self.runs:
            job = UnitJob.from_text(parameters["job"])
            number = sum(run.job == job for run in self.runs.values())
            self.runs[idempotency_key] = SimpleNamespace(
                id=uuid4(), name=name, state=Scheduled(), job=job, fate=self._fates(name, number)
            )
        return self.runs[idempotency_key]

    def read_flow_runs(self, *, flow_run_filter: Any, limit: int) -> list[Any]:
        if self.outages:
            self.outages -= 1
            raise httpx.ConnectError("refused")
        wanted = set(flow_run_filter.id.any_)
        found = [run for run in self.runs.values() if run.id in wanted]
        self.most_open = max(self.most_open, len(found))
        for run in found:
            run.state = run.fate
        return found

    def read_artifacts(self, *, flow_run_filter: Any) -> list[Any]:
        (run,) = [run for run in self.runs.values() if run.id in flow_run_filter.id.any_]
        report = json.dumps(json.loads(to_json(report_lost(run.job, run.name))))
        return [SimpleNamespace(type="progress", data=1.0), SimpleNamespace(type=pools.REPORT_TYPE, data=report)]

    def set_flow_run_state(self, run_id: Any, state: State[Any]) -> None:
        next(run for run in self.runs.values() if run.id == run_id).state = state


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "POLL_SECONDS", 0.0)


def work(server: Server, folder: Path, notes: Notes | None = None) -> list[Any]:
    return pools._Pool(server, uuid4(), plan_jobs(folder), "gpu", notes or Notes()).work()  # type: ignore[arg-type]


def test_all_units_are_done_once_and_reported_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MAX_OPEN", 2)
    server, notes = Server(lambda name, number: DONE), Notes()
    reports = work(server, tmp_path, notes)
    planned = plan_jobs(tmp_path)
    assert [(report.camera, report.date) for report in reports] == [(job.unit.camera, job.unit.date) for job in planned]
    assert len(server.runs) == len(planned) == len(notes.advanced)
    assert server.most_open <= 2
    assert server.queues == {"gpu"}


def test_a_run_that_crashed_is_tried_again(tmp_path: Path) -> None:
    server, notes = Server(lambda name, number: DONE if number else DEAD), Notes()
    reports = work(server, tmp_path, notes)
    assert len(server.runs) == 2 * len(reports)
    assert all("tried again" in warning for warning in notes.warnings)
    assert not any("killed" in item.reason for report in reports for item in report.unreadable)


def test_after_the_last_try_the_videos_are_told_as_not_read(tmp_path: Path) -> None:
    server, notes = Server(lambda name, number: WRONG), Notes()
    reports = work(server, tmp_path, notes)
    assert len(server.runs) == pools.MAX_TRIES * len(reports)
    reasons = {item.reason for report in reports for item in report.unreadable}
    assert all("EngineError: no mount; the next index run tries it again" in reason for reason in reasons)
    assert any("last of 3 tries" in warning for warning in notes.warnings)


def test_runs_of_an_index_run_that_was_killed_are_waited_for_and_not_begun_again(tmp_path: Path) -> None:
    server = Server(lambda name, number: DONE)
    for job in plan_jobs(tmp_path):
        begin = {"parameters": {"job": job.to_text()}, "name": job.name, "work_queue_name": "gpu"}
        server.create_flow_run_from_deployment(None, idempotency_key=f"{job.key}-0", **begin)
    before = len(server.runs)
    assert len(work(server, tmp_path)) == len(server.runs) == before


def test_a_unit_that_was_done_and_erased_since_is_done_again(tmp_path: Path) -> None:
    server = Server(lambda name, number: DONE)
    first, second = work(server, tmp_path), work(server, tmp_path)
    assert len(server.runs) == len(first) + len(second)


def test_a_stopped_index_run_cancels_what_no_worker_has_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([BUSY, WAITS, WAITS, WAITS, WAITS, WAITS])
    server = Server(lambda name, number: next(states))

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pools, "raise_if_stopped", stop)
    with pytest.raises(KeyboardInterrupt):
        work(server, tmp_path)
    ended = [run.state.type for run in server.runs.values()]
    assert ended == [BUSY.type] + [Cancelled().type] * (len(ended) - 1)


def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda name, number: DONE)
    server.outages = 3
    assert work(server, tmp_path)
    monkeypatch.setattr(pools, "SERVER_SECONDS", -1.0)
    server.outages = 9
    with pytest.raises(EngineError, match="has not answered"):
        work(server, tmp_path)


def test_what_the_server_refuses_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda name, number: DONE)

    def refuse(*_: Any, **__: Any) -> None:
        request = httpx.Request("POST", server.api_url)
        raise httpx.HTTPStatusError("no such queue", request=request, response=httpx.Response(400, request=request))

    monkeypatch.setattr(server, "create_flow_run_from_deployment", refuse)
    with pytest.raises(EngineError, match="has refused a unit: no such queue"):
        work(server, tmp_path)


def test_a_run_that_was_deleted_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, notes = Server(lambda name, number: DONE), Notes()
    read = server.read_flow_runs

    def forget(**asked: Any) -> list[Any]:
        monkeypatch.setattr(server, "read_flow_runs", read)
        for key in list(server.runs):
            server.runs[f"deleted {key}"] = server.runs.pop(key)
        return []

    monkeypatch.setattr(server, "read_flow_runs", forget)
    reports = work(server, tmp_path, notes)
    assert len(server.runs) == 2 * len(reports)
    assert all("deleted on the server; it is tried again" in warning for warning in notes.warnings)


def test_an_operator_is_told_that_no_worker_takes_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_SECONDS", -1.0)
    server, notes = Server(lambda name, number: WAITS), Notes()
    looks = count()

    def stop() -> None:
        if next(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(pools, "raise_if_stopped", stop)
    with pytest.raises(KeyboardInterrupt):
        work(server, tmp_path, notes)
    assert "prefect worker start --pool anomalylmm" in notes.warnings[0]


def test_a_server_without_the_deployment_is_an_error_that_says_how_to_register_it() -> None:
    def missing(_: str) -> None:
        raise ObjectNotFound(http_exc=Exception())

    client: Any = SimpleNamespace(api_url="http://server/api", read_deployment_by_name=missing)
    with pytest.raises(EngineError, match=r"no deployment 'index-unit/index-unit'.*prefect deploy --all"):
        pools._find_deployment(client)

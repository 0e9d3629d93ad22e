"""What becomes of work that was given to an engine."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from anomalylmm.errors import EngineError, StoreError
from flows.index.indexing import index_archive
from flows.settings.model import Settings
from flows.workers import jobs
from flows.workers.engines import Engine, open_engine
from flows.workers.jobs import UnitJob, report_lost
from flows.workers.spreading import Lost, gather, iter_done
from storage.disk.layout import StoreLayout
from tests.drawn import compose_small, write_archive
from tests.flows.workers.planned_jobs import plan_jobs
from tests.listeners import Notes


class WorkerDiedError(Exception):
    pass


class ClusterEndedError(Exception):
    pass


class Wrapped(Exception):  # noqa: N818 - as Ray does
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


ENGINE = Engine(name="a cluster", runner=None, submit=None, lost=(WorkerDiedError,), gone=(ClusterEndedError,))  # type: ignore[arg-type]


def ended(result: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


def test_work_that_no_worker_survived_is_lost_and_the_rest_is_done() -> None:
    found = dict(iter_done(ENGINE, [ended(1), ended(WorkerDiedError()), ended(3)]))
    assert (found[0], found[2]) == (1, 3)
    assert isinstance(found[1], Lost)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClusterEndedError(), EngineError),
        (StoreError("the disk is full"), StoreError),
        (Wrapped(StoreError("the disk is full")), StoreError),
        (MemoryError(), MemoryError),
    ],
)
def test_an_error_of_the_work_or_the_end_of_the_cluster_ends_the_run(
    error: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        list(iter_done(ENGINE, [ended(error)]))


def test_reports_come_in_the_order_of_the_jobs_and_a_lost_unit_is_told(tmp_path: Path) -> None:
    work, notes = plan_jobs(tmp_path), Notes()
    begun: dict[int, Future[Any]] = {}

    def submit(job: UnitJob) -> "Future[Any]":
        position = len(begun)
        begun[position] = Future()
        if position == len(work) - 1:  # the last one ends first
            for number in reversed(range(1, len(work))):
                begun[number].set_result(report_lost(work[number], "as a stand-in"))
            begun[0].set_exception(WorkerDiedError())
        return begun[position]

    reports = gather(ENGINE, work, submit, notes)
    assert [report.camera for report in reports] == [job.unit.camera for job in work]
    assert "each worker that began it died (WorkerDiedError)" in reports[0].unreadable[0].reason
    assert [warning.partition(":")[0] for warning in notes.warnings] == [work[0].name]
    assert sorted(notes.advanced) == sorted(job.name for job in work)


def index_on(settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Indexes the drawn archive by an engine and names the shards."""
    composition, layout = compose_small(workers=settings), StoreLayout(folder / settings["engine"])
    monkeypatch.setattr(jobs, "open_composition", lambda _: composition)
    jobs._load_once.cache_clear()
    report = index_archive(composition, layout, write_archive(folder / "archive"))
    jobs._load_once.cache_clear()
    assert report.total("num_videos") > 1
    return sorted(unit.shard_id for unit in report.units)


def test_a_dask_cluster_makes_the_same_shards_as_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("prefect_dask")
    from distributed import LocalCluster

    here = {"processes": False, "protocol": "tcp://", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, threads_per_worker=1, **here) as cluster:
        spread = index_on({"engine": "dask", "address": cluster.scheduler_address}, tmp_path, monkeypatch)
    assert spread == index_on({"engine": "threads"}, tmp_path, monkeypatch)


def test_a_scheduler_without_workers_is_an_error_that_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    dask_engine = pytest.importorskip("flows.workers.dask_engine", exc_type=ImportError)
    from distributed import LocalCluster

    monkeypatch.setattr(dask_engine, "WORKER_SECONDS", 0.1)
    here = {"processes": False, "protocol": "tcp://", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=0, **here) as cluster:
        settings = Settings(workers={"engine": "dask", "address": cluster.scheduler_address})
        with (
            pytest.raises(EngineError, match=r"has no workers; start some.*dask worker tcp://"),
            open_engine(settings, 1),
        ):
            pass

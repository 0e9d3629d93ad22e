"""Sweeps whose judge is in workers: threads stand for them, and all that goes to them and back is pickled."""

import pickle
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalylmm.errors import AnomalyLMMError, EngineError, LostClaimError, WeightsError
from anomalylmm.records import Clip
from flows.index.indexing import index_archive
from flows.settings.model import Settings
from flows.sweep import spread_judge
from flows.sweep.sweeping import sweep_store
from flows.workers import judging
from flows.workers.engines import Engine
from flows.workers.judging import Call, JudgeJob, answer, read_views, write_views
from storage.disk.identity import identify_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.writer import HitStore
from tests.fakes import ColorJudge, compose, write_video

QUERY = '[[query]]\nname = "{0}"\ntext = "a person in a {0} jacket walking"\nfloor = -10\naccept = 0.5\n'
SPREAD = {"engine": "dask", "judging": True}
TABLES = {
    "hits": "query_name, tracklet_id, rank, score, confidence, reason, judge_id, box_xyxy_px",
    "judgements": "query_name, tracklet_id, final_rank, accepted, score, reason, num_calls, cached, evidence",
    "judgement_slots": "query_version, tracklet_id, word, answer",
    "coverage": "query_version, shard_id, criteria",
    "sweeps": "judge_id, num_candidates, num_judged, num_calls, num_cached, num_hits, status",
}


class WorkerDiedError(Exception):
    pass


class ClusterEndedError(Exception):
    pass


Submit = Callable[..., Any]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spread")
    write_video(folder / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 6), ("blue", 2, 5)])
    write_video(folder / "archive/yard/2026-03-14/10-00-00.mp4", [("green", 1, 6)])
    index_archive(compose(), StoreLayout(folder / "store"), folder / "archive")
    return folder / "store"


@pytest.fixture
def layout(indexed: Path, tmp_path: Path) -> StoreLayout:
    shutil.copytree(indexed, tmp_path / "store")
    return StoreLayout(tmp_path / "store")


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    file = tmp_path / "queries.toml"
    file.write_text("".join(map(QUERY.format, ("red", "green", "blue"))))
    return file


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> ColorJudge:
    """The judge that all workers load."""
    judge = ColorJudge()
    monkeypatch.setattr(judging, "_load_once", lambda settings: judge)
    return judge


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, judge: ColorJudge) -> Iterator[list[Callable[[Submit], Submit]]]:
    """The engine of the settings is four threads; functions in this list change how they take work."""
    changes: list[Callable[[Submit], Submit]] = []

    def work(sent: bytes) -> Any:
        function, arguments = pickle.loads(sent)  # noqa: S301 - our own
        return pickle.loads(pickle.dumps(function(*arguments)))  # noqa: S301 - our own

    with ThreadPoolExecutor(4) as threads:

        @contextmanager
        def opened(settings: Settings, num_tasks: int) -> Iterator[Engine]:
            submit: Submit = lambda function, *arguments: threads.submit(work, pickle.dumps((function, arguments)))  # noqa: E731
            for change in changes:
                submit = change(submit)
            died, ended = (WorkerDiedError,), (ClusterEndedError,)
            # No runner: no task of Prefect is submitted here.
            yield Engine(name="the cluster at head:1", runner=None, submit=submit, lost=died, gone=ended)  # type: ignore[arg-type]

        monkeypatch.setattr(spread_judge, "open_engine", opened)
        yield changes


def failing(error: Exception, *, when: Callable[[int, Any], bool]) -> Callable[[Submit], Submit]:
    """Lets some jobs fail, chosen by their number and what is sent."""
    numbers = count()

    def change(submit: Submit) -> Submit:
        def take(function: Any, *sent: Any) -> Any:
            if not when(next(numbers), sent[0]):
                return submit(function, *sent)
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

        return take

    return change


def read_tables(layout: StoreLayout, *names: str) -> dict[str, Any]:
    return {name: run_sql(layout, f"select {TABLES[name]} from {name} order by all")[1] for name in names or TABLES}


@pytest.mark.parametrize(
    "rerank",
    [
        {"pairwise": True, "explain": True, "pair_window": 9.0},
        {"reading": "both", "mirror": True, "filter": 0.01},
        {"description_weight": 0.5},
    ],
)
def test_workers_find_and_are_asked_what_the_sweep_alone_finds_and_asks(
    layout: StoreLayout, queries: Path, cluster: list[Any], judge: ColorJudge, tmp_path: Path, rerank: dict[str, Any]
) -> None:
    shutil.copytree(layout.root, tmp_path / "alone")
    sections = {"rerank": rerank, "judge": {"batch_size": 1, "family": "endpoint", "endpoint": {"model": "m"}}}
    alone, spread = compose(**sections), compose(**sections, workers=SPREAD)
    sweep_store(alone, StoreLayout(tmp_path / "alone"), queries)
    sweep_store(spread, layout, queries)
    assert judge.calls == alone.judge.calls > 0
    assert spread.judge.calls == 0
    assert read_tables(layout) == read_tables(StoreLayout(tmp_path / "alone"))
    assert len(read_tables(layout)["hits"]) == 3
    assert not list(layout.temporary.iterdir())


def test_candidates_of_a_batch_that_no_worker_survives_are_asked_about_one_by_one(
    layout: StoreLayout, queries: Path, cluster: list[Any], tmp_path: Path
) -> None:
    shutil.copytree(layout.root, tmp_path / "alone")
    sweep_store(compose(), StoreLayout(tmp_path / "alone"), queries)
    cluster.append(failing(WorkerDiedError(), when=lambda number, job: len(getattr(job, "looks", ())) > 1))
    report = sweep_store(compose(workers=SPREAD), layout, queries)
    assert report.state == "Completed"
    names = "hits", "judgements", "coverage"
    assert read_tables(layout, *names) == read_tables(StoreLayout(tmp_path / "alone"), *names)


def test_workers_that_die_every_time_leave_the_rest_to_the_next_sweep(
    layout: StoreLayout, queries: Path, cluster: list[Any]
) -> None:
    cluster.append(failing(WorkerDiedError(), when=lambda number, job: number > 0))
    report = sweep_store(compose(workers=SPREAD), layout, queries)
    assert report.state == "Degraded"
    assert report.num_open > 0
    assert not read_tables(layout, "coverage")["coverage"]
    cluster.clear()
    assert sweep_store(compose(workers=SPREAD), layout, queries).num_hits == 3


def test_the_end_of_the_cluster_ends_the_sweep_and_keeps_what_was_answered(
    layout: StoreLayout, queries: Path, cluster: list[Any]
) -> None:
    cluster.append(failing(ClusterEndedError(), when=lambda number, job: number > 5))
    with pytest.raises(EngineError, match="the cluster at head:1 was lost"):
        sweep_store(compose(workers=SPREAD), layout, queries)
    cluster.clear()
    report = sweep_store(compose(workers=SPREAD), layout, queries)
    assert (report.num_hits, report.state) == (3, "Completed")
    assert report.num_cached > 0


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (WorkerDiedError(), EngineError, "no worker of the cluster at head:1 could load the judge"),
        (WeightsError("the folder is empty"), WeightsError, "the folder is empty"),
    ],
)
def test_a_judge_that_no_worker_can_load_is_an_error_before_anything_is_asked(
    layout: StoreLayout,
    queries: Path,
    cluster: list[Any],
    error: Exception,
    expected: type[AnomalyLMMError],
    words: str,
) -> None:
    cluster.append(failing(error, when=lambda number, job: number == 0))
    with pytest.raises(expected, match=words):
        sweep_store(compose(workers=SPREAD), layout, queries)


def test_a_sweep_that_was_taken_over_says_so_and_not_that_pictures_are_missing(
    layout: StoreLayout, queries: Path, cluster: list[Any]
) -> None:
    def take_over(submit: Submit) -> Submit:
        def take(*sent: Any) -> Any:
            if isinstance(sent[1], JudgeJob):
                place = next(layout.temporary.glob("hits-place*"), None)
                if place:
                    place.rename(layout.temporary / "taken.revoked")
            return submit(*sent)

        return take

    cluster.append(take_over)
    with pytest.raises(LostClaimError):
        sweep_store(compose(workers=SPREAD), layout, queries)


def test_a_sweep_that_has_nothing_to_judge_starts_no_worker_and_loads_no_judge(
    layout: StoreLayout, queries: Path, cluster: list[Any], judge: ColorJudge
) -> None:
    composition = compose(workers=SPREAD)
    sweep_store(composition, layout, queries)
    cluster.append(failing(ClusterEndedError(), when=lambda number, job: True))
    assert sweep_store(composition, layout, queries).state == "Completed"
    assert "judge" not in composition.__dict__


def job_of(layout: StoreLayout) -> JudgeJob:
    return JudgeJob(
        store=str(layout.root),
        store_id=identify_store(layout),
        settings=compose().settings,
        judge_id=ColorJudge.judge_id,
        asked=Call(method="score_answers_blind", texts=("[MASK]", ("red", "blue"))),
        pictures="",
    )


def test_a_worker_with_another_judge_or_store_refuses(layout: StoreLayout, judge: ColorJudge, tmp_path: Path) -> None:
    job = job_of(layout)
    assert answer(job).shape == (2,)
    with pytest.raises(EngineError, match=r"has another judge \(color-judge@1, not other\)"):
        answer(replace(job, judge_id="other"))
    with pytest.raises(EngineError, match="does not see the store"):
        answer(replace(job, store=str(tmp_path / "missing")))


def test_pictures_reach_a_worker_as_they_are_with_the_times_of_a_moment(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(seed).integers(0, 256, (8 + seed, 6, 3), np.uint8) for seed in range(12)]
    looks = [tuple(pictures[:3]), Clip(pictures[3:5], [1.5, 2.25]), tuple(pictures[5:])]
    found = read_views(tmp_path / "0.npz", write_views(tmp_path / "0.npz", looks))
    assert [len(views) for views in found] == [3, 2, 7]
    assert all(
        np.array_equal(*pair) for views, own in zip(found, looks, strict=True) for pair in zip(views, own, strict=True)
    )
    assert isinstance(found[1], Clip)
    assert found[1].pts_seconds == (1.5, 2.25)


@pytest.mark.parametrize("engine", ["threads", "pool"])
def test_engines_that_can_not_judge_are_refused(engine: str) -> None:
    with pytest.raises(ValueError, match="leaves judging to the sweep itself"):
        Settings(workers={"engine": engine, "judging": True})


def test_a_writer_gives_a_folder_that_goes_with_it(layout: StoreLayout) -> None:
    with HitStore(layout) as hits:
        with hits.scratch() as folder:
            (folder / "0.npz").touch()
        assert not folder.exists()

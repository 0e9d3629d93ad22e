"""Questions to the judge as they are sent to workers: small plain data, whose pictures lie in a file of the store."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np

from anomalylmm.errors import EngineError
from anomalylmm.protocols import Judge, MomentWay, Views
from anomalylmm.records import Clip
from anomalylmm.rerank.evidence import Questions
from anomalylmm.rerank.interview import interview
from flows.composition import open_composition
from flows.settings.model import Settings
from flows.workers.jobs import check_store
from storage.disk.files import guarded

_loading = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method of a judge with what it is given besides pictures."""

    method: Literal["complete", "score_answers", "score_answers_blind", "affirm"]
    texts: tuple[Any, ...]  # the prompt, and the answers where there are some


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The pictures of one look in a file of pictures."""

    number: int
    pts_seconds: tuple[float, ...] | None = None  # where they are a moment's


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeJob:
    """Questions about some looks, with all that a worker on another machine needs."""

    store: str  # absolute path, the same on all machines
    store_id: str
    settings: Settings  # of the sweep, so that a worker's own files and environment do not matter
    judge_id: str
    asked: Questions | Call
    pictures: str  # path of the file; empty if no picture is shown
    looks: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFacts:
    """What a sweep must know of a judge that it does not load itself."""

    judge_id: str
    max_views: int
    moment_way: MomentWay


def describe_judge(store: str, store_id: str, settings: Settings) -> JudgeFacts:
    """Loads the judge in a worker and describes it.

    Raises:
        EngineError: This machine does not see the store of the sweep.
        WeightsError: It lacks the model.
    """
    check_store(store, store_id)
    judge = _load_judge(settings)
    return JudgeFacts(judge_id=judge.judge_id, max_views=judge.max_views, moment_way=judge.moment_way)


def answer(job: JudgeJob) -> Any:
    """Asks in a worker, which keeps the loaded judge for the next job; asking again gives the same.

    Returns:
        A list of ``Evidence`` for ``Questions``, otherwise what the judge's method returns.

    Raises:
        EngineError: This machine does not see the store of the sweep, or has another judge.
        JudgeError: The judge failed.
        StoreError: The pictures can't be read.
    """
    check_store(job.store, job.store_id)
    judge = _load_judge(job.settings)
    if judge.judge_id != job.judge_id:
        raise EngineError(
            f"worker {os.uname().nodename} has another judge ({judge.judge_id}, not {job.judge_id}); `anomalylmm "
            "models` lists the models on each machine. Install the same ones"
        )
    views = read_views(Path(job.pictures), job.looks) if job.pictures else []
    if isinstance(job.asked, Questions):
        return interview(judge, job.asked, views)
    ask = getattr(judge, job.asked.method)
    return ask(views, *job.asked.texts) if job.pictures else ask(*job.asked.texts)


def write_views(path: Path, looks: Sequence[Views]) -> tuple[Shown, ...]:
    """Writes the pictures of some looks to one file, without loss.

    Raises:
        StoreError: It can't be written.
    """
    with guarded("write", path):
        np.savez(path, *[image for views in looks for image in views])
    return tuple(
        Shown(number=len(views), pts_seconds=views.pts_seconds if isinstance(views, Clip) else None) for views in looks
    )


def read_views(path: Path, looks: Sequence[Shown]) -> list[Views]:
    """Reads what ``write_views`` wrote.

    Raises:
        StoreError: It can't be read.
    """
    with guarded("read", path), np.load(path, allow_pickle=False) as file:
        images = iter([file[name] for name in file.files])
    found = [(look, [next(images) for _ in range(look.number)]) for look in looks]
    return [Clip(views, look.pts_seconds) if look.pts_seconds else tuple(views) for look, views in found]


def _load_judge(settings: Settings) -> Judge:
    with _loading:
        return _load_once(settings)


@lru_cache(maxsize=2)
def _load_once(settings: Settings) -> Judge:
    return open_composition(settings).judge

"""What is left of several workers' time when they judge: python -m benchmarks.spread_judge --engines dask ray.

The judge waits as long as a large model on a device of its own would work, and takes no core. All the rest is a
sweep's: pictures through the store, answers through its cache, several queries at once. The first query of each engine,
for which its workers import what they need, does not count.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Candidate, Query
from anomalylmm.rerank.evidence import Evidence, Questions
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from flows.runs.at_once import work_ahead
from flows.settings.model import Settings
from flows.sweep.judging import QUERIES_AT_ONCE
from flows.sweep.judging_cache import StoredCache
from flows.sweep.spread_judge import NOTHING, SpreadJudge
from flows.workers.engines import open_engine
from flows.workers.judging import JudgeFacts, JudgeJob, read_views
from storage.disk.layout import StoreLayout
from storage.hits.writer import HitStore

WORDS = ("falling", "lying", "running", "crouching", "fighting", "climbing", "sitting", "walking", "jumping", "kicking")
PICTURES, HEIGHT, WIDTH = 4, 200, 90  # of a candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One engine with one number of workers."""

    engine: str
    workers: int
    batches: int
    seconds: float
    efficiency: float  # of the time that the devices themselves need
    sweep_cpu_ms: float  # of the sweep's process, for each batch


def wait_for_device(seconds: float, job: JudgeJob) -> Any:
    """Stands for a judge in a worker: reads the pictures, and waits for each batch of candidates."""
    if job.pictures:
        read_views(Path(job.pictures), job.looks)
    time.sleep(seconds)
    if not isinstance(job.asked, Questions):
        return [-1.0] * len(job.asked.texts[1])
    scores = tuple(-float(number) for number in range(len(job.asked.layout.answers)))
    return [Evidence(log_scores=scores, affirm_logit=1.0) for _ in job.looks]


def name_worker() -> tuple[int, int]:
    """Names the worker that does this, which takes a while."""
    time.sleep(1.0)
    return os.getpid(), threading.get_native_id()


def build_cases(number: int, candidates: int) -> list[tuple[Query, tuple[Candidate, ...]]]:
    """Builds queries with candidates whose pictures are noise."""
    lexicon, noise = Lexicon.load(), np.random.default_rng(0)
    cases = []
    for serial in range(number):
        text = f"a person {WORDS[serial % len(WORDS)]} near {serial} cars"
        query = Query(
            name=str(serial), text=text, cloze=mask_query(text, lexicon), version=str(serial), top_n=candidates
        )
        found = [
            Candidate(
                tracklet_id=f"{serial}-{rank}",
                video_id="v",
                camera="c",
                crop_ids=("c",) * PICTURES,
                best_crop_id="c",
                shard_id="s",
                cosine=0.3,
                z_score=3.0,
                rank=rank,
                images=tuple(noise.integers(0, 256, (PICTURES, HEIGHT, WIDTH, 3), np.uint8)),
            )
            for rank in range(candidates)
        ]
        cases.append((query, tuple(found)))
    return cases


def measure(name: str, workers: int, options: argparse.Namespace) -> Trial:
    """Judges some queries with a number of workers."""
    settings = Settings(workers={"engine": name, "per_machine": workers}, shards={"at_once": workers})
    cases = build_cases(options.queries + 1, options.candidates)
    batches = -(-options.candidates // options.batch_size)
    with tempfile.TemporaryDirectory() as folder, open_engine(settings, workers) as engine:
        layout = StoreLayout(Path(folder) / "store")
        layout.create()
        facts = JudgeFacts(judge_id="waits", max_views=PICTURES, moment_way="pictures")
        job = JudgeJob(store=str(layout.root), store_id="", settings=settings, judge_id="", asked=NOTHING, pictures="")
        with HitStore(layout) as hits, hits.scratch() as scratch:
            waiting = replace(engine, submit=lambda _, job: engine.submit(wait_for_device, options.device_seconds, job))
            judge = SpreadJudge(waiting, facts, job, scratch)
            rerank = replace(RerankSettings(), focus=False, batch_size=options.batch_size)
            adjudicator = Adjudicator(judge, Lexicon.load(), rerank, begin=judge.begin)
            cache = StoredCache(hits, ["s"], Lock())
            _judge(adjudicator, cache, cases[:1])
            while len({future.result() for future in [engine.submit(name_worker) for _ in range(workers)]}) < workers:
                pass  # some are still starting
            began, cpu = time.perf_counter(), time.process_time()
            done = _judge(adjudicator, cache, cases[1:])
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    asked = options.queries * (batches + 1)  # one for the prior of each query
    if sum(len(one.unjudged) for one in done):
        raise SystemExit("some candidates were not judged")
    ideal = asked * options.device_seconds / workers
    return Trial(
        engine=name,
        workers=workers,
        batches=asked,
        seconds=round(seconds, 2),
        efficiency=round(ideal / seconds, 3),
        sweep_cpu_ms=round(1000 * cpu / asked, 1),
    )


def _judge(
    adjudicator: Adjudicator, cache: StoredCache, cases: Sequence[tuple[Query, tuple[Candidate, ...]]]
) -> list[Adjudication]:
    def judge(case: tuple[Query, tuple[Candidate, ...]]) -> Adjudication:
        return adjudicator.adjudicate(*case, cache=cache)

    return list(work_ahead(judge, cases, QUERIES_AT_ONCE))


def main() -> None:
    """Measures and prints; writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread_judge", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=["threads", "dask", "ray"], default=["threads"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--device-seconds", type=float, default=1.0, help="of one batch of candidates, all questions")
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=40, help="of a query")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("spread_judge.json"))
    options = parser.parse_args()
    trials = []
    for name in options.engines:
        for workers in options.workers:
            trials.append(measure(name, workers, options))
            print(trials[-1], flush=True)
    options.out.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))


if __name__ == "__main__":
    main()

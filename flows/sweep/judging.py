"""The judging of a sweep: one coarse search for all queries, then each query is judged."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

from anomalylmm.records import Candidate, CropRow, Floats, Image, Query, RankedCandidate, Verdict
from anomalylmm.rerank.gate import Hints
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from flows.clock import utc_now
from flows.composition import Composition
from flows.index.units.cropping import read_jpeg
from flows.moments.fetching import Moments, fetch_moments
from flows.report.pictures import draw_results
from flows.runs.at_once import work_ahead
from flows.runs.progress import Listener
from flows.runs.recording import Recording
from flows.sweep.coarse_search import (
    build_hints,
    encode_views,
    find_candidates,
    load_images,
    mean_views,
    scope_of,
    time_zone_of,
)
from flows.sweep.findings import build_hit, build_judgement
from flows.sweep.judging_cache import SAVE_SECONDS, StoredCache
from flows.sweep.outcome import QueryTally
from storage.disk.layout import StoreLayout
from storage.disk.notes import write_file
from storage.gallery.gallery import Gallery
from storage.hits.rows import HitRecord, JudgementRecord
from storage.hits.writer import HitStore

KEPT_PICTURES = 512  # decoded ones, about 0.1 MB each
QUERIES_AT_ONCE = 8  # where workers judge, so that none waits for the last candidates of one query


def _keep_pictures() -> Callable[[bytes], Image]:
    return lru_cache(maxsize=KEPT_PICTURES)(read_jpeg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRun:
    """What stays the same during one sweep."""

    composition: Composition
    layout: StoreLayout
    gallery: Gallery
    hits: HitStore
    sweep_id: str
    began_utc: datetime
    listener: Listener
    recorded: Recording
    archive: Path | None = None  # where the videos are, if not where they were indexed
    kin: Mapping[str, frozenset[str]] = field(default_factory=dict)  # versions that asked the same, by version
    decode: Callable[[bytes], Image] = field(default_factory=_keep_pictures)  # of a JPEG, once for all queries
    lock: Lock = field(default_factory=Lock)  # of the writer, where several queries are judged at once


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFindings:
    """What one query found in the shards it was run on."""

    query: Query
    shard_ids: frozenset[str]
    judgements: tuple[JudgementRecord, ...] = field(repr=False)
    hits: tuple[HitRecord, ...] = field(repr=False)
    tally: QueryTally
    open_shards: frozenset[str]  # with candidates that got no answer, or whose moments can't be reached now
    num_open: int
    num_put_off: int  # candidates judged by stored crops because their archive can't be reached now
    num_calls: int
    num_cached: int

    @property
    def covered(self) -> frozenset[str]:
        """The shards whose candidates were all judged, by their moments if these are asked for and there."""
        return self.shard_ids - self.open_shards


@contextmanager
def open_adjudicator(run: SweepRun) -> Iterator[Adjudicator]:
    """Gives the three stages with the judge of this process, or with those of the workers if the settings say so.

    Raises:
        EngineError: The workers can't be used.
    """
    if not run.composition.settings.workers.judging:
        yield run.composition.adjudicator
        return
    from flows.sweep.spread_judge import open_spread  # imports Prefect, which takes a second

    with run.hits.scratch() as folder, open_spread(run.composition, run.layout, folder) as adjudicator:
        yield adjudicator


def judge_queries(
    run: SweepRun, adjudicator: Adjudicator, queries: Sequence[Query], shards: Sequence[frozenset[str]]
) -> list[QueryFindings]:
    """Runs one coarse search for all queries, then judges each query.

    Args:
        run: The sweep.
        adjudicator: The three stages.
        queries: The queries that have not covered all shards.
        shards: The ids of these shards, one set for each query.
    """
    composition = run.composition
    scopes = [scope_of(query, ids) for query, ids in zip(queries, shards, strict=True)]
    with run.recorded.stage("coarse"):
        views = encode_views(composition.encoder, composition.lexicon, queries)
        found = find_candidates(
            run.gallery, mean_views(views), queries, scopes, composition.settings.coarse.posture_weight
        )
    run.listener.start("judge", sum(len(candidates) for candidates in found))
    findings = []
    with run.recorded.stage("fetch"):
        wants = adjudicator.wants_moment
        wanted = [item for query, own in zip(queries, found, strict=True) if wants(query) for item in own]
        moments = fetch_moments(composition, run.layout, run.gallery, wanted, archive=run.archive)
    with closing(moments):
        cases = (
            _load_case(run, *case, moments, wants_moment=wants(case[0]))
            for case in zip(queries, found, views, strict=True)
        )
        shares = adjudicator.settings.description_weight > 0  # descriptions are asked for once for all queries
        number = QUERIES_AT_ONCE if adjudicator.begin and not shares else 1
        judged = work_ahead(partial(_judge_case, run, adjudicator, defaultdict(Lock)), cases, number)
        for query, ids in zip(queries, shards, strict=True):
            with run.recorded.stage("judge"):
                case, result = next(judged)
                findings.append(_read_findings(run, case, result, ids, moments))
            run.listener.advance("judge", len(case.candidates), query.name)
    return findings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One query with all that is needed to judge its candidates."""

    query: Query
    candidates: tuple[Candidate, ...]  # with their pictures
    best: Mapping[str, CropRow]
    hints: Hints


def _load_case(
    run: SweepRun,
    query: Query,
    candidates: Sequence[Candidate],
    views: Floats,
    moments: Moments,
    *,
    wants_moment: bool,
) -> _Case:
    loaded, best = load_images(run.gallery, candidates, has_poses=run.composition.has_poses, decode=run.decode)
    shown = moments.attach(loaded, wanted=wants_moment)
    return _Case(query=query, candidates=tuple(shown), best=best, hints=build_hints(views, best))


def _judge_case(
    run: SweepRun, adjudicator: Adjudicator, locks: Mapping[str, Lock], case: _Case
) -> tuple[_Case, Adjudication]:
    """Judges one query; queries that ask alike wait for each other, because they share answers."""
    shards = {item.shard_id for item in case.candidates}
    with locks[case.query.cloze.masked], StoredCache(run.hits, shards, run.lock, SAVE_SECONDS) as cache:
        return case, adjudicator.adjudicate(case.query, case.candidates, cache=cache, hints=case.hints)


def _read_findings(
    run: SweepRun, case: _Case, result: Adjudication, shard_ids: frozenset[str], moments: Moments
) -> QueryFindings:
    """Builds the rows of one query, and writes the pictures of its hits."""
    query, now = case.query, utc_now()
    for note in result.notes:
        run.listener.warn(f"query {query.name!r}: {note}")
    put_off = [ranked.candidate for ranked in result.ranked if ranked.verdict and moments.is_put_off(ranked.candidate)]
    judged = [(ranked, ranked.verdict) for ranked in result.ranked if ranked.verdict is not None]
    accepted = [(ranked, verdict) for ranked, verdict in judged if verdict.accepted]
    pipeline = run.composition.pipeline.digest
    hits = _build_hits(run, query, accepted, case.best, now)
    return QueryFindings(
        query=query,
        shard_ids=shard_ids,
        judgements=tuple(
            build_judgement(query, ranked, verdict, sweep_id=run.sweep_id, pipeline=pipeline, now=now)
            for ranked, verdict in judged
        ),
        hits=hits,
        tally=QueryTally(
            query_name=query.name,
            num_shards=len(shard_ids),
            num_candidates=len(case.candidates),
            num_judged=len(judged),
            num_hits=len(hits),
        ),
        open_shards=frozenset(item.shard_id for item in (*result.unjudged, *put_off)),
        num_open=len(result.unjudged),
        num_put_off=len(put_off),
        num_calls=result.num_calls,
        num_cached=result.num_cached,
    )


def _build_hits(
    run: SweepRun,
    query: Query,
    accepted: Sequence[tuple[RankedCandidate, Verdict]],
    best: Mapping[str, CropRow],
    now: datetime,
) -> tuple[HitRecord, ...]:
    """Builds the hits and writes their pictures."""
    rows = [best[ranked.candidate.tracklet_id] for ranked, _ in accepted]
    moments = [ranked.candidate.moment for ranked, _ in accepted]
    hits = []
    for (ranked, verdict), row, jpeg in zip(
        accepted, rows, draw_results(run.composition.mapper, query, rows, moments), strict=True
    ):
        hit = build_hit(
            query,
            ranked,
            verdict,
            row,
            time_zone=time_zone_of(run.gallery, ranked.candidate),
            sweep_id=run.sweep_id,
            pipeline=run.composition.pipeline.digest,
            now=now,
        )
        write_file(run.layout, run.layout.reports / hit.picture_path, jpeg)
        hits.append(hit)
    return tuple(hits)

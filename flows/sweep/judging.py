"""The judging of a sweep: one coarse search for all queries, then each query is judged."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from anomalylmm.records import Candidate, CropRow, Floats, Query, RankedCandidate, Verdict
from flows.clock import utc_now
from flows.composition import Composition
from flows.moments.fetching import Moments, fetch_moments
from flows.report.pictures import draw_results
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
from flows.sweep.judging_cache import StoredCache
from flows.sweep.outcome import QueryTally
from storage.disk.layout import StoreLayout
from storage.disk.notes import write_file
from storage.gallery.gallery import Gallery
from storage.hits.rows import HitRecord, JudgementRecord
from storage.hits.writer import HitStore


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


def judge_queries(run: SweepRun, queries: Sequence[Query], shards: Sequence[frozenset[str]]) -> list[QueryFindings]:
    """Runs one coarse search for all queries, then judges each query.

    Args:
        run: The sweep.
        queries: The queries that have not covered all shards.
        shards: The ids of these shards, one set for each query.
    """
    if not queries:
        return []
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
        wants = composition.adjudicator.wants_moment
        wanted = [item for query, own in zip(queries, found, strict=True) if wants(query) for item in own]
        moments = fetch_moments(composition, run.layout, run.gallery, wanted, archive=run.archive)
    with closing(moments):
        for query, ids, candidates, own in zip(queries, shards, found, views, strict=True):
            with run.recorded.stage("judge"):
                findings.append(_judge_query(run, query, ids, candidates, own, moments))
            run.listener.advance("judge", len(candidates), query.name)
    return findings


def _judge_query(
    run: SweepRun,
    query: Query,
    shard_ids: frozenset[str],
    candidates: Sequence[Candidate],
    views: Floats,
    moments: Moments,
) -> QueryFindings:
    composition, now = run.composition, utc_now()
    loaded, best = load_images(run.gallery, candidates, has_poses=composition.has_poses)
    result = composition.adjudicator.adjudicate(
        query,
        moments.attach(loaded, wanted=composition.adjudicator.wants_moment(query)),
        cache=StoredCache(run.hits, {item.shard_id for item in candidates}),
        hints=build_hints(views, best),
    )
    for note in result.notes:
        run.listener.warn(f"query {query.name!r}: {note}")
    put_off = [ranked.candidate for ranked in result.ranked if ranked.verdict and moments.is_put_off(ranked.candidate)]
    judged = [(ranked, ranked.verdict) for ranked in result.ranked if ranked.verdict is not None]
    accepted = [(ranked, verdict) for ranked, verdict in judged if verdict.accepted]
    pipeline = composition.pipeline.digest
    hits = _build_hits(run, query, accepted, best, now)
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
            num_candidates=len(candidates),
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

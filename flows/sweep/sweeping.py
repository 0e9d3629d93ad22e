"""A sweep: the saved queries over what they have not covered yet, in one transaction, then the snapshot."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from anomalylmm.errors import ConfigurationError, StoreError
from anomalylmm.measure.incidents import HitInterval
from anomalylmm.records import Candidate, CropRow, Floats, Query, RankedCandidate
from flows.composition import Composition
from flows.index.planning import utc_now
from flows.report.pictures import draw_results
from flows.review.calibrating import apply_thresholds, build_thresholds, calibrate_queries
from flows.runs.progress import Listener, Silence
from flows.runs.recording import Recording, recording, sweep_figures
from flows.sweep.coarse_search import build_hints, encode_views, find_candidates, load_images, mean_views, scope_of
from flows.sweep.findings import build_hit, build_incidents, build_judgement, index_videos, read_interval
from flows.sweep.judging_cache import StoredCache
from flows.sweep.outcome import QueryTally, SweepReport
from flows.sweep.page import write_latest_page
from flows.sweep.query_file import choose_mask_way, read_queries, read_saved
from storage.disk.files import create_directories, guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.rows import CoverageRecord, HitRecord, JudgementRecord, SweepContent, SweepRecord
from storage.hits.writer import HitStore
from storage.upkeep.erasure import finish_erasures


@dataclass(slots=True, kw_only=True)
class _Findings:
    judgements: list[JudgementRecord] = field(default_factory=list)
    hits: list[HitRecord] = field(default_factory=list)
    tallies: list[QueryTally] = field(default_factory=list)
    num_candidates: int = 0
    num_calls: int = 0
    num_cached: int = 0
    open_pairs: set[tuple[str, str]] = field(default_factory=set)  # query versions and shards not judged to the end
    open_names: dict[str, int] = field(default_factory=dict)  # candidates left of each query


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What stays the same throughout one sweep."""

    composition: Composition
    layout: StoreLayout
    gallery: Gallery
    hits: HitStore
    sweep_id: str
    began_utc: datetime
    listener: Listener
    recorded: Recording


def open_gallery(composition: Composition, layout: StoreLayout) -> Gallery:
    """Opens the gallery of the composition's pipeline.

    Raises:
        StoreError: Nothing is indexed, or only by other pipelines; the message says which and what to do.
    """
    from storage.gallery.gallery import pipelines

    gallery = Gallery.open(layout, composition.pipeline.digest)
    if gallery.shards:
        return gallery
    others = ", ".join(f"{item.pipeline_digest} ({item.num_crops} crops)" for item in pipelines(layout))
    if others:
        raise StoreError(
            f"{layout.root} holds no shard of the pipeline {composition.pipeline.digest} that profile "
            f"{composition.settings.profile!r} makes, only of {others}; use the profile and settings they were made "
            "with, or run `anomalylmm index` again with these, as after an update of anomalylmm"
        )
    raise StoreError(f"{layout.root} holds no shard yet; run `anomalylmm index ARCHIVE --store {layout.root}` first")


def sweep_store(
    composition: Composition, layout: StoreLayout, queries_file: Path, *, listener: Listener | None = None
) -> SweepReport:
    """Runs the enabled queries of a file over the shards that they have not been asked on, and publishes.

    Raises:
        ConfigurationError: The queries' file is wrong.
        StoreBusyError: Another sweep runs.
        StoreError: Nothing is indexed, or the store can't be written.
    """
    queries = [query for query in read_queries(queries_file, composition.lexicon) if query.enabled]
    if not queries:
        raise ConfigurationError(f"{queries_file} has no enabled query; set enabled = true for at least one")
    finish_erasures(layout)
    gallery = open_gallery(composition, layout)
    layout.check_writable()
    listener = listener or Silence()
    with HitStore(layout) as hits, recording(layout, "sweep", listener, composition) as recorded:
        run = _Run(
            composition=composition,
            layout=layout,
            gallery=gallery,
            hits=hits,
            sweep_id=uuid.uuid4().hex[:16],
            began_utc=utc_now(),
            listener=listener,
            recorded=recorded,
        )
        queries = _mask_anew(run, queries, queries_file)
        for query in queries:
            hits.register_query(query)
        report = _sweep(run, queries)
        return replace(report, run=recorded.end(**sweep_figures(report)))


def _mask_anew(run: _Run, queries: list[Query], queries_file: Path) -> list[Query]:
    """Has the judge mask the queries where the settings say so; what it once named is remembered in the store."""
    way = choose_mask_way(run.composition, StoredCache(run.hits))
    if way is None:
        return queries
    saved = [item for item in read_saved(queries_file, run.composition.lexicon, way) if item.query.enabled]
    for item in saved:
        for problem in item.problems:
            run.listener.warn(f"query {item.query.name!r}: {problem}")
    return [item.query for item in saved]


def _sweep(run: _Run, queries: Sequence[Query]) -> SweepReport:
    began = time.monotonic()
    pending = run.hits.pending([query.version for query in queries], run.gallery.shard_ids)
    shards = {query.version: {shard for version, shard in pending if version == query.version} for query in queries}
    due = [query for query in queries if shards[query.version]]
    warnings = _warn(run, queries)
    calibrated = calibrate_queries(due, run.hits.reviews(), run.composition.judge.judge_id) if due else {}
    findings = _judge_all(run, apply_thresholds(due, calibrated), [frozenset(shards[query.version]) for query in due])
    warnings += _warn_of_open(run, findings)
    hits = tuple(findings.hits)
    incidents = build_incidents(hits, _read_neighbors(run, hits), run.sweep_id)
    seconds = time.monotonic() - began
    if due:
        sweep = _record(run, findings, len(due), len({shard for _, shard in pending}), seconds, warnings)
        run.hits.record_sweep(
            SweepContent(
                sweep=sweep,
                coverage=_cover(pending - findings.open_pairs),
                hits=hits,
                judgements=tuple(findings.judgements),
                incidents=incidents,
                thresholds=build_thresholds(due, calibrated, sweep.judge_id, sweep.finished_utc),
            )
        )
    with run.recorded.stage("publish"):
        published = run.hits.publish()
    return SweepReport(
        sweep_id=run.sweep_id if due else "",
        state="Degraded" if warnings or published.unreadable else "Completed",
        queries=tuple(findings.tallies),
        num_hits=len(hits),
        num_incidents=len(incidents),
        num_calls=findings.num_calls,
        num_cached=findings.num_cached,
        seconds=time.monotonic() - began,
        warnings=(*warnings, *published.unreadable),
        report_path=str(write_latest_page(run.layout)),
        top_hits=tuple(sorted(hits, key=lambda hit: -hit.confidence)[:12]),
        num_open=sum(findings.open_names.values()),
        num_damaged=max(len(run.gallery.invalid), len(published.unreadable)),
    )


def _warn(run: _Run, queries: Sequence[Query]) -> tuple[str, ...]:
    """Names damaged shards; unknown words are told to the listener but degrade nothing."""
    for query in queries:
        unknown = run.composition.encoder.unknown_words(query.text)
        if unknown:
            run.listener.warn(f"query {query.name!r}: the encoder does not know {', '.join(unknown)}")
        if not query.cloze.slots:
            run.listener.warn(f"query {query.name!r} has no word to mask; {say_without_slots(run.composition)}")
    damaged = tuple(f"{shard.directory.name}: {shard.problems[0]}" for shard in run.gallery.invalid)
    for message in damaged:
        run.listener.warn(f"a damaged shard is left out: {message}")
    return damaged


def _cover(pairs: set[tuple[str, str]]) -> tuple[CoverageRecord, ...]:
    return tuple(CoverageRecord(query_version=version, shard_id=shard) for version, shard in sorted(pairs))


def _warn_of_open(run: _Run, findings: _Findings) -> tuple[str, ...]:
    """Names the queries that were not judged to the end; their shards stay uncovered, so the next sweep goes on."""
    warnings = tuple(
        f"query {name!r}: {number} candidates were not judged; the next sweep asks about them again"
        for name, number in findings.open_names.items()
    )
    for warning in warnings:
        run.listener.warn(warning)
    return warnings


def _read_neighbors(run: _Run, hits: Sequence[HitRecord]) -> list[HitInterval]:
    """Reads earlier hits of the same queries and cameras: an event may go on from one sweep's shards to another's."""
    found = run.hits.read(
        "SELECT hit_id, query_version, camera, start_utc, stop_utc, confidence FROM hits "
        "WHERE pipeline = ? AND NOT list_contains(?::VARCHAR[], hit_id) "
        "AND list_contains(?::VARCHAR[], query_version) AND list_contains(?::VARCHAR[], camera)",
        [
            run.composition.pipeline.digest,
            [hit.hit_id for hit in hits],
            sorted({hit.query_version for hit in hits}),
            sorted({hit.camera for hit in hits}),
        ],
    )
    pairs = {(hit.query_version, hit.camera) for hit in hits}
    return [interval for interval in map(read_interval, found) if (interval.query, interval.camera) in pairs]


def say_without_slots(composition: Composition) -> str:
    """Says what becomes of a query that has no word to mask."""
    if composition.adjudicator.settings.affirm_weight > 0:
        return "only the whole sentence is judged"
    return "it is left in coarse order, since these settings do not ask for the whole sentence"


def _record(
    run: _Run, findings: _Findings, num_queries: int, num_shards: int, seconds: float, warnings: Sequence[str]
) -> SweepRecord:
    return SweepRecord(
        sweep_id=run.sweep_id,
        started_utc=run.began_utc,
        finished_utc=utc_now(),
        pipeline=run.composition.pipeline.digest,
        judge_id=run.composition.judge.judge_id,
        profile=run.composition.settings.profile,
        rerank=json.dumps(asdict(run.composition.adjudicator.settings)),
        status="Degraded" if warnings else "Completed",
        num_queries=num_queries,
        num_shards=num_shards,
        num_candidates=findings.num_candidates,
        num_judged=len(findings.judgements),
        num_calls=findings.num_calls,
        num_cached=findings.num_cached,
        num_hits=len(findings.hits),
        seconds=seconds,
        message="; ".join(warnings),
    )


def _judge_all(run: _Run, queries: Sequence[Query], shards: Sequence[frozenset[str]]) -> _Findings:
    """Searches for all queries at once, then judges query by query."""
    findings = _Findings()
    if not queries:
        return findings
    composition = run.composition
    scopes = [scope_of(query, ids) for query, ids in zip(queries, shards, strict=True)]
    with run.recorded.stage("coarse"):
        views = encode_views(composition.encoder, composition.lexicon, queries)
        found = find_candidates(
            run.gallery, mean_views(views), queries, scopes, composition.settings.coarse.posture_weight
        )
    run.listener.start("judge", sum(len(candidates) for candidates in found))
    for query, ids, candidates, own in zip(queries, shards, found, views, strict=True):
        with run.recorded.stage("judge"):
            _judge_query(run, query, len(ids), candidates, own, findings)
    return findings


def _judge_query(
    run: _Run, query: Query, num_shards: int, candidates: Sequence[Candidate], views: Floats, findings: _Findings
) -> None:
    composition, now = run.composition, utc_now()
    loaded, best = load_images(run.gallery, candidates, has_poses=composition.bodies is not None)
    result = composition.adjudicator.adjudicate(
        query,
        loaded,
        cache=StoredCache(run.hits, {item.shard_id for item in candidates}),
        hints=build_hints(views, best),
    )
    for note in result.notes:
        run.listener.warn(f"query {query.name!r}: {note}")
    judged = [ranked for ranked in result.ranked if ranked.verdict is not None]
    accepted = [ranked for ranked in judged if ranked.verdict is not None and ranked.verdict.accepted]
    findings.judgements += [
        build_judgement(query, ranked, sweep_id=run.sweep_id, pipeline=composition.pipeline.digest, now=now)
        for ranked in judged
    ]
    hits = [_build_hit(run, query, ranked, best, now) for ranked in accepted]
    rows = [best[ranked.candidate.tracklet_id] for ranked in accepted]
    for hit, jpeg in zip(hits, draw_results(composition.mapper, query, rows), strict=True):
        _write_picture(run.layout, hit, jpeg)
    findings.hits += hits
    if result.unjudged:
        findings.open_pairs |= {(query.version, item.shard_id) for item in result.unjudged}
        findings.open_names[query.name] = len(result.unjudged)
    findings.num_candidates += len(candidates)
    findings.num_calls += result.num_calls
    findings.num_cached += result.num_cached
    findings.tallies.append(
        QueryTally(
            query_name=query.name,
            num_shards=num_shards,
            num_candidates=len(candidates),
            num_judged=len(judged),
            num_hits=len(hits),
        )
    )
    run.listener.advance("judge", len(candidates), query.name)


def _build_hit(run: _Run, query: Query, ranked: RankedCandidate, best: dict[str, CropRow], now: datetime) -> HitRecord:
    row = best[ranked.candidate.tracklet_id]
    videos = index_videos(run.gallery.shard(ranked.candidate.shard_id).manifest.videos)
    return build_hit(
        query,
        ranked,
        row,
        videos[row.video_id],
        sweep_id=run.sweep_id,
        pipeline=run.composition.pipeline.digest,
        now=now,
    )


def _write_picture(layout: StoreLayout, hit: HitRecord, jpeg: bytes) -> None:
    path = layout.reports / hit.picture_path
    with guarded("create", path.parent):
        create_directories(path.parent)
    replace_file(path, jpeg, scratch=layout.temporary)

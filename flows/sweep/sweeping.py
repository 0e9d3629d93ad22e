"""A sweep: the saved queries over what they have not covered yet, in one transaction, then the snapshot."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from anomalylmm.errors import ConfigurationError, StoreError
from anomalylmm.measure.incidents import HitInterval
from anomalylmm.records import Query
from flows.composition import Composition
from flows.index.planning import utc_now
from flows.review.calibrating import apply_thresholds, build_thresholds, calibrate_queries
from flows.runs.progress import Listener, Silence
from flows.runs.recording import recording, sweep_figures
from flows.sweep.findings import build_incidents, read_interval
from flows.sweep.judging import QueryFindings, SweepRun, judge_queries
from flows.sweep.judging_cache import StoredCache
from flows.sweep.outcome import SweepReport
from flows.sweep.page import write_latest_page
from flows.sweep.query_file import choose_mask_way, read_queries, read_saved
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.feedback_sql import read_reviews
from storage.hits.rows import CoverageRecord, HitRecord, SweepContent, SweepRecord
from storage.hits.writer import HitStore
from storage.upkeep.erasure import finish_erasures


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
        run = SweepRun(
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


def _mask_anew(run: SweepRun, queries: list[Query], queries_file: Path) -> list[Query]:
    """Has the judge mask the queries where the settings say so; what it once named is remembered in the store."""
    way = choose_mask_way(run.composition, StoredCache(run.hits))
    if way is None:
        return queries
    saved = [item for item in read_saved(queries_file, run.composition.lexicon, way) if item.query.enabled]
    for item in saved:
        for problem in item.problems:
            run.listener.warn(f"query {item.query.name!r}: {problem}")
    return [item.query for item in saved]


def _sweep(run: SweepRun, queries: Sequence[Query]) -> SweepReport:
    began = time.monotonic()
    criteria = {query.version: query.criteria for query in queries}  # before feedback changes thresholds
    pending = run.hits.pending(criteria, run.gallery.shard_ids)
    shards = {version: frozenset(shard for own, shard in pending if own == version) for version in criteria}
    due = [query for query in queries if shards[query.version]]
    warnings = _warn(run, queries)
    calibrated = calibrate_queries(due, read_reviews(run.hits.read), run.composition.judge.judge_id) if due else {}
    findings = judge_queries(run, apply_thresholds(due, calibrated), [shards[query.version] for query in due])
    warnings += _warn_of_open(run, findings)
    content = _gather(run, findings, _cover(findings, criteria), time.monotonic() - began, warnings)
    if due:
        sweep = content.sweep
        thresholds = build_thresholds(due, calibrated, sweep.judge_id, sweep.finished_utc)
        for path in run.hits.record_sweep(replace(content, thresholds=thresholds)):
            (run.layout.reports / path).unlink(missing_ok=True)
    with run.recorded.stage("publish"):
        unreadable = run.hits.publish()
    return SweepReport(
        sweep_id=run.sweep_id if due else "",
        state="Degraded" if warnings or unreadable else "Completed",
        queries=tuple(found.tally for found in findings),
        num_hits=len(content.hits),
        num_incidents=len(content.incidents),
        num_calls=content.sweep.num_calls,
        num_cached=content.sweep.num_cached,
        seconds=time.monotonic() - began,
        warnings=(*warnings, *unreadable),
        report_path=str(write_latest_page(run.layout)),
        top_hits=tuple(sorted(content.hits, key=lambda hit: -hit.confidence)[:12]),
        num_open=sum(found.num_open for found in findings),
        num_damaged=max(len(run.gallery.invalid), len(unreadable)),
    )


def _warn(run: SweepRun, queries: Sequence[Query]) -> tuple[str, ...]:
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


def _warn_of_open(run: SweepRun, findings: Sequence[QueryFindings]) -> tuple[str, ...]:
    """Names the queries that were not judged to the end; their shards stay uncovered, so the next sweep goes on."""
    warnings = tuple(
        f"query {found.query.name!r}: {found.num_open} candidates were not judged; the next sweep asks about them again"
        for found in findings
        if found.num_open
    )
    for warning in warnings:
        run.listener.warn(warning)
    return warnings


def _cover(findings: Sequence[QueryFindings], criteria: Mapping[str, str]) -> tuple[CoverageRecord, ...]:
    return tuple(
        CoverageRecord(query_version=found.query.version, shard_id=shard_id, criteria=criteria[found.query.version])
        for found in findings
        for shard_id in sorted(found.covered)
    )


def _read_neighbors(run: SweepRun, hits: Sequence[HitRecord], coverage: Sequence[CoverageRecord]) -> list[HitInterval]:
    """Reads earlier hits of the same queries and cameras: an event may go on from one sweep's shards to another's.

    Those in shards that this sweep covers are left out, since it decides them anew.
    """
    found = run.hits.read(
        "SELECT hit_id, query_version, camera, start_utc, stop_utc, confidence, shard_id FROM hits "
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
    decided = {(pair.query_version, pair.shard_id) for pair in coverage}
    earlier = [row[:-1] for row in found if (row[1], row[-1]) not in decided]
    return [interval for interval in map(read_interval, earlier) if (interval.query, interval.camera) in pairs]


def say_without_slots(composition: Composition) -> str:
    """Says what becomes of a query that has no word to mask."""
    if composition.adjudicator.settings.affirm_weight > 0:
        return "only the whole sentence is judged"
    return "it is left in coarse order, since these settings do not ask for the whole sentence"


def _gather(
    run: SweepRun,
    findings: Sequence[QueryFindings],
    coverage: tuple[CoverageRecord, ...],
    seconds: float,
    warnings: Sequence[str],
) -> SweepContent:
    """Joins what the queries found to the rows of one sweep."""
    hits = tuple(hit for found in findings for hit in found.hits)
    judgements = tuple(judgement for found in findings for judgement in found.judgements)
    sweep = SweepRecord(
        sweep_id=run.sweep_id,
        started_utc=run.began_utc,
        finished_utc=utc_now(),
        pipeline=run.composition.pipeline.digest,
        judge_id=run.composition.judge.judge_id,
        profile=run.composition.settings.profile,
        rerank=json.dumps(asdict(run.composition.adjudicator.settings)),
        status="Degraded" if warnings else "Completed",
        num_queries=len(findings),
        num_shards=len(frozenset().union(*(found.shard_ids for found in findings))),
        num_candidates=sum(found.num_candidates for found in findings),
        num_judged=len(judgements),
        num_calls=sum(found.num_calls for found in findings),
        num_cached=sum(found.num_cached for found in findings),
        num_hits=len(hits),
        seconds=seconds,
        message="; ".join(warnings),
    )
    incidents = build_incidents(hits, _read_neighbors(run, hits, coverage), run.sweep_id)
    return SweepContent(sweep=sweep, coverage=coverage, hits=hits, judgements=judgements, incidents=incidents)

"""Runs a sweep: judges what is new, records it in one transaction, and publishes a snapshot."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from anomalylmm.errors import ConfigurationError, StoreError
from anomalylmm.measure.calibration import Calibration
from anomalylmm.measure.incidents import HitInterval
from anomalylmm.query.masking import leave_out_negated
from anomalylmm.query.negation import find_absent
from anomalylmm.query.wording import describe_wording
from anomalylmm.records import Query
from flows.clock import utc_now
from flows.composition import Composition
from flows.maintain.mending import finish_mending
from flows.moments.fetching import describe_missing, lacks_moment
from flows.review.calibrating import apply_thresholds, build_thresholds, calibrate_queries
from flows.runs.progress import Listener, Silence
from flows.runs.recording import recording
from flows.sweep.findings import build_incidents, read_interval
from flows.sweep.judging import QueryFindings, SweepRun, judge_queries, open_adjudicator
from flows.sweep.judging_cache import StoredCache
from flows.sweep.novelty import date_hits, find_kin
from flows.sweep.outcome import SweepReport
from flows.sweep.page import write_latest_page
from flows.sweep.query_file import choose_mask_way, read_queries, read_saved
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery, count_crops
from storage.hits.feedback_sql import read_reviews
from storage.hits.rows import CoverageRecord, HitRecord, SweepContent, SweepRecord
from storage.hits.writer import HitStore
from storage.upkeep.adoption import adopt_rows
from storage.upkeep.erasure import finish_erasures
from storage.upkeep.growth import replace_outgrown

PUT_OFF = (
    "are judged again by the next sweep, because their archive may be reached then; if it is gone for good, set "
    "rerank.moment_frames = 0"
)


def open_gallery(composition: Composition, layout: StoreLayout) -> Gallery:
    """Opens the gallery of the composition's pipeline.

    Raises:
        StoreError: Nothing is indexed, or only with other pipelines; the message lists them and what to do.
    """
    gallery = Gallery.open(layout, composition.pipeline.digest)
    if gallery.shards:
        return gallery
    others = ", ".join(f"{digest} ({number} crops)" for digest, number in count_crops(layout).items())
    if others:
        raise StoreError(
            f"{layout.root} has no shard of the pipeline {composition.pipeline.digest} that profile "
            f"{composition.settings.profile!r} makes, only of {others}; use the profile and settings they were made "
            "with, or run `anomalylmm index` again, which is also needed after some updates of anomalylmm"
        )
    raise StoreError(f"{layout.root} has no shard yet; run `anomalylmm index ARCHIVE --store {layout.root}` first")


def sweep_store(
    composition: Composition,
    layout: StoreLayout,
    queries_file: Path,
    *,
    archive: Path | None = None,
    listener: Listener | None = None,
) -> SweepReport:
    """Runs the enabled queries of a file on the shards they have not covered, and publishes the result.

    Args:
        composition: Builds the models.
        layout: The store.
        queries_file: The saved queries.
        archive: Where the videos are, if not where they were indexed; only for judging moments.
        listener: Is told of progress and warnings.

    Raises:
        ConfigurationError: The file of queries is wrong.
        StoreBusyError: Another sweep is running.
        StoreError: Nothing is indexed, or the store can't be written.
    """
    queries = [query for query in read_queries(queries_file, composition.lexicon) if query.enabled]
    if not queries:
        raise ConfigurationError(f"{queries_file} has no enabled query; set enabled = true for at least one")
    finish_erasures(layout)
    finish_mending(layout)
    gallery = open_gallery(composition, layout)
    if gallery.pending and replace_outgrown(layout, composition.pipeline.digest):
        gallery = open_gallery(composition, layout)
    layout.check_writable()
    listener = listener or Silence()
    lease_seconds = composition.settings.shards.lease_seconds
    with HitStore(layout, lease_seconds) as hits, recording(layout, "sweep", listener, composition) as recorded:
        run = SweepRun(
            composition=composition,
            layout=layout,
            gallery=gallery,
            hits=hits,
            sweep_id=uuid.uuid4().hex[:16],
            began_utc=utc_now(),
            listener=listener,
            recorded=recorded,
            archive=archive,
        )
        adopt_rows(hits, gallery)
        queries = _mask_by_judge(run, queries, queries_file)
        for query in queries:
            hits.register_query(query)
        run = replace(run, kin=find_kin(queries, hits.read))
        hits.retire_queries(frozenset().union(*run.kin.values()) - set(run.kin))
        report = _sweep(run, queries)
        return replace(report, run=recorded.end(**report.figures))


def _mask_by_judge(run: SweepRun, queries: list[Query], queries_file: Path) -> list[Query]:
    """Lets the judge mask the queries if the settings say so; its answers are cached in the store."""
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
    calibrated, findings, judge_id = _judge(run, due, shards)
    warnings += _warn_unjudged(run, findings)
    content = _gather(run, findings, _cover(findings, criteria), judge_id, time.monotonic() - began, warnings)
    if due:
        thresholds = build_thresholds(due, calibrated, judge_id, content.sweep.finished_utc)
        for path in run.hits.record_sweep(replace(content, thresholds=thresholds)):
            (run.layout.reports / path).unlink(missing_ok=True)
    with run.recorded.stage("publish"):
        unreadable = run.hits.publish()
    new = [hit for hit in content.hits if hit.is_new]
    return SweepReport(
        sweep_id=run.sweep_id if due else "",
        state="Degraded" if warnings or unreadable else "Completed",
        queries=tuple(found.tally for found in findings),
        num_hits=len(content.hits),
        num_new=len(new),
        num_incidents=len(content.incidents),
        num_calls=content.sweep.num_calls,
        num_cached=content.sweep.num_cached,
        seconds=time.monotonic() - began,
        warnings=(*warnings, *unreadable),
        report_path=str(write_latest_page(run.layout)),
        top_hits=tuple(sorted(new, key=lambda hit: -hit.confidence)[:12]),
        num_open=sum(found.num_open for found in findings),
        num_without_moment=sum(lacks_moment(item.verdict.evidence) for found in findings for item in found.judgements),
        num_damaged=max(len(run.gallery.invalid), len(unreadable)),
    )


def _judge(
    run: SweepRun, due: Sequence[Query], shards: Mapping[str, frozenset[str]]
) -> tuple[dict[str, Calibration], list[QueryFindings], str]:
    """Judges the queries that are due, with the thresholds that feedback gives them; also returns the judge's id."""
    if not due:
        return {}, [], ""
    with open_adjudicator(run) as adjudicator:
        judge_id = adjudicator.judge.judge_id
        calibrated = calibrate_queries(due, read_reviews(run.hits.read), judge_id)
        asked = apply_thresholds(due, calibrated)
        return calibrated, judge_queries(run, adjudicator, asked, [shards[query.version] for query in due]), judge_id


def _warn(run: SweepRun, queries: Sequence[Query]) -> tuple[str, ...]:
    """Returns warnings about damaged shards. Unknown words are only reported to the listener."""
    for query in queries:
        for warning in warn_of_wording(run.composition, query):
            run.listener.warn(f"query {query.name!r}: {warning}")
        if not query.cloze.slots:
            run.listener.warn(f"query {query.name!r} has no word to mask; {say_without_slots(run.composition, query)}")
    damaged = tuple(f"{shard.directory.name}: {shard.problems[0]}" for shard in run.gallery.invalid)
    for message in damaged:
        run.listener.warn(f"a damaged shard is skipped: {message}")
    return damaged


def warn_of_wording(composition: Composition, query: Query) -> tuple[str, ...]:
    """Lists words of a query that the search does not use: unknown, negated, or beyond what the encoder reads."""
    encoder = composition.encoder
    asked = composition.rerank.negation_kinds if composition.rerank.negation else ()
    warnings = describe_wording(query, encoder.unknown_words(query.text), composition.lexicon, asked)
    cut = encoder.cut_off(leave_out_negated(query, composition.lexicon).text)
    if not cut:
        return warnings
    return (*warnings, f'the text is too long for the encoder, which does not read its end: "{cut[:200]}"; shorten it')


def _warn_unjudged(run: SweepRun, findings: Sequence[QueryFindings]) -> tuple[str, ...]:
    """Returns warnings about candidates without a judgement or without their moment."""
    warnings = [
        f"query {found.query.name!r}: {found.num_open} candidates were not judged; the next sweep asks about them again"
        for found in findings
        if found.num_open
    ]
    warnings += describe_missing(item.verdict.evidence for found in findings for item in found.judgements)
    if num_put_off := sum(found.num_put_off for found in findings):
        warnings.append(f"{num_put_off} of them {PUT_OFF}")
    for warning in warnings:
        run.listener.warn(warning)
    return tuple(warnings)


def _cover(findings: Sequence[QueryFindings], criteria: Mapping[str, str]) -> tuple[CoverageRecord, ...]:
    return tuple(
        CoverageRecord(query_version=found.query.version, shard_id=shard_id, criteria=criteria[found.query.version])
        for found in findings
        for shard_id in sorted(found.covered)
    )


def _read_neighbors(run: SweepRun, hits: Sequence[HitRecord], coverage: Sequence[CoverageRecord]) -> list[HitInterval]:
    """Reads earlier hits of the same queries and cameras, because an event may span shards of two sweeps.

    Hits in shards that this sweep covers are left out, because this sweep replaces them.
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


def say_without_slots(composition: Composition, query: Query) -> str:
    """Explains what happens to a query that has no word to mask."""
    settings = composition.rerank
    if settings.negation and find_absent(query, composition.lexicon, settings.negation_kinds):
        return "the judge is asked only whether what must not be seen is there"
    if settings.affirm_weight > 0:
        return "only the whole sentence is judged"
    return "it stays in coarse order, because these settings do not ask about the whole sentence"


def _gather(
    run: SweepRun,
    findings: Sequence[QueryFindings],
    coverage: tuple[CoverageRecord, ...],
    judge_id: str,
    seconds: float,
    warnings: Sequence[str],
) -> SweepContent:
    """Combines the findings of all queries to the rows of one sweep."""
    hits = tuple(hit for found in findings for hit in found.hits)
    judgements = tuple(judgement for found in findings for judgement in found.judgements)
    sweep = SweepRecord(
        sweep_id=run.sweep_id,
        started_utc=run.began_utc,
        finished_utc=utc_now(),
        pipeline=run.composition.pipeline.digest,
        judge_id=judge_id,
        profile=run.composition.settings.profile,
        rerank=json.dumps(asdict(run.composition.rerank)),
        status="Degraded" if warnings else "Completed",
        num_queries=len(findings),
        num_shards=len(frozenset().union(*(found.shard_ids for found in findings))),
        num_candidates=sum(found.tally.num_candidates for found in findings),
        num_judged=len(judgements),
        num_calls=sum(found.num_calls for found in findings),
        num_cached=sum(found.num_cached for found in findings),
        num_hits=len(hits),
        seconds=seconds,
        message="; ".join(warnings),
    )
    hits = date_hits(hits, run.kin, run.hits.read)
    incidents = build_incidents(hits, _read_neighbors(run, hits, coverage), run.sweep_id)
    return SweepContent(sweep=sweep, coverage=coverage, hits=hits, judgements=judgements, incidents=incidents)

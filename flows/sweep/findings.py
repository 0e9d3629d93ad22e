"""Builds the rows of a sweep from ranked candidates; uses neither clock nor store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from anomalylmm.measure.incidents import HitInterval, Incident, group_incidents
from anomalylmm.records import CropRow, Query, RankedCandidate, Verdict
from storage.hits.rows import HitRecord, IncidentRecord, JudgementRecord, make_hit_id


def build_judgement(
    query: Query, ranked: RankedCandidate, verdict: Verdict, *, sweep_id: str, pipeline: str, now: datetime
) -> JudgementRecord:
    """Builds the row of a judged candidate."""
    candidate = ranked.candidate
    return JudgementRecord(
        query_version=query.version,
        query_name=query.name,
        sweep_id=sweep_id,
        pipeline=pipeline,
        video_id=candidate.video_id,
        camera=candidate.camera,
        shard_id=candidate.shard_id,
        crop_id=candidate.best_crop_id,
        coarse_rank=candidate.rank,
        final_rank=ranked.rank,
        cosine=candidate.cosine,
        z_score=candidate.z_score,
        verdict=verdict,
        created_utc=now,
    )


def build_hit(
    query: Query,
    ranked: RankedCandidate,
    verdict: Verdict,
    row: CropRow,
    *,
    time_zone: str,
    sweep_id: str,
    pipeline: str,
    now: datetime,
) -> HitRecord:
    """Builds the row of an accepted candidate from its best crop; its picture is named after the hit."""
    candidate = ranked.candidate
    return HitRecord(
        query_version=query.version,
        query_name=query.name,
        sweep_id=sweep_id,
        pipeline=pipeline,
        tracklet_id=candidate.tracklet_id,
        crop_id=row.crop_id,
        video_id=row.video_id,
        video_path=row.video_path,
        camera=row.camera,
        shard_id=candidate.shard_id,
        start_seconds=row.tracklet_start_seconds,
        stop_seconds=row.tracklet_stop_seconds,
        best_seconds=row.pts_seconds,
        start_utc=row.wall_clock_utc + timedelta(seconds=row.tracklet_start_seconds - row.pts_seconds),
        stop_utc=row.wall_clock_utc + timedelta(seconds=row.tracklet_stop_seconds - row.pts_seconds),
        best_utc=row.wall_clock_utc,
        clock_source=row.clock_source,
        time_zone=time_zone,
        box_xyxy_px=row.box_xyxy_px,
        rank=ranked.rank,
        cosine=candidate.cosine,
        z_score=candidate.z_score,
        score=verdict.score,
        confidence=verdict.confidence,
        affirm=verdict.affirm,
        reason=verdict.reason,
        judge_id=verdict.judge_id,
        picture_path=f"pictures/{make_hit_id(query.version, candidate.tracklet_id, pipeline)}.jpg",
        created_utc=now,
        evidence=verdict.evidence,
        description=verdict.description,
    )


def build_incidents(
    hits: Sequence[HitRecord], earlier: Sequence[HitInterval], sweep_id: str
) -> tuple[IncidentRecord, ...]:
    """Groups hits of this sweep and earlier hits of the same queries and cameras into incidents.

    Incidents without a hit of this sweep are not returned, because they do not change.
    """
    new = {hit.hit_id for hit in hits}
    intervals = [
        HitInterval(
            hit_id=hit.hit_id,
            query=hit.query_version,
            camera=hit.camera,
            start_utc=hit.start_utc,
            stop_utc=hit.stop_utc,
            confidence=hit.confidence,
        )
        for hit in hits
    ]
    names = {hit.query_version: hit.query_name for hit in hits}
    return tuple(
        record_incident(incident, sweep_id, names[incident.query])
        for incident in group_incidents([*intervals, *earlier])
        if not new.isdisjoint(incident.hit_ids)
    )


def record_incident(incident: Incident, sweep_id: str, query_name: str) -> IncidentRecord:
    """Builds the row of an incident."""
    return IncidentRecord(
        incident_id=incident.incident_id,
        sweep_id=sweep_id,
        query_version=incident.query,
        query_name=query_name,
        camera=incident.camera,
        start_utc=incident.start_utc,
        stop_utc=incident.stop_utc,
        hit_ids=incident.hit_ids,
        best_hit_id=incident.best_hit_id,
    )


def read_interval(row: Sequence[Any]) -> HitInterval:
    """Builds an interval from hit id, query version, camera, start, stop (UTC) and confidence."""
    hit_id, query, camera, start, stop, confidence = row
    return HitInterval(
        hit_id=hit_id,
        query=query,
        camera=camera,
        start_utc=start.replace(tzinfo=UTC),
        stop_utc=stop.replace(tzinfo=UTC),
        confidence=confidence,
    )

"""Groups hits that are one event in the world: same query and camera, close in time; knows no store."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from anomalylmm.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class HitInterval:
    """What grouping needs to know of one hit."""

    hit_id: str
    query: str
    camera: str
    start_utc: datetime
    stop_utc: datetime
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Hits of one query and camera that follow each other closely."""

    incident_id: str
    query: str
    camera: str
    start_utc: datetime
    stop_utc: datetime
    hit_ids: tuple[str, ...]  # in time order
    best_hit_id: str
    confidence: float  # of the best hit


def group_incidents(hits: Iterable[HitInterval], gap_seconds: float = 30.0) -> tuple[Incident, ...]:
    """Groups hits whose intervals overlap or are at most ``gap_seconds`` apart; each hit is in one incident.

    The id comes from query, camera and first hit: an incident that later hits prolong keeps it.

    Raises:
        ConfigurationError: The gap is negative.
    """
    if not gap_seconds >= 0:
        raise ConfigurationError(f"gap_seconds is {gap_seconds}, but must not be negative")
    ordered = sorted(hits, key=lambda hit: (hit.query, hit.camera, hit.start_utc, hit.stop_utc, hit.hit_id))
    incidents = []
    for _, same in groupby(ordered, key=lambda hit: (hit.query, hit.camera)):
        incidents += [_incident(group) for group in _iter_groups(same, timedelta(seconds=gap_seconds))]
    return tuple(sorted(incidents, key=lambda item: (item.start_utc, item.query, item.camera)))


def _iter_groups(hits: Iterable[HitInterval], gap: timedelta) -> Iterator[list[HitInterval]]:
    group: list[HitInterval] = []
    latest = datetime.min.replace(tzinfo=UTC)
    for hit in hits:
        if group and hit.start_utc - latest > gap:
            yield group
            group = []
        latest = max(latest, hit.stop_utc) if group else hit.stop_utc
        group.append(hit)
    if group:
        yield group


def _incident(group: list[HitInterval]) -> Incident:
    first = group[0]
    best = min(group, key=lambda hit: (-hit.confidence, hit.start_utc, hit.hit_id))
    key = f"{first.query}\n{first.camera}\n{first.hit_id}"
    return Incident(
        incident_id=hashlib.sha256(key.encode()).hexdigest()[:24],
        query=first.query,
        camera=first.camera,
        start_utc=first.start_utc,
        stop_utc=max(hit.stop_utc for hit in group),
        hit_ids=tuple(hit.hit_id for hit in group),
        best_hit_id=best.hit_id,
        confidence=best.confidence,
    )

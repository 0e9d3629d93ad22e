"""Scores hits against the ground truth of a rendered archive: events found, missed, confused, false. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]
SLACK_SECONDS = 1.0
LEAST_OVERLAP = 0.1
# a fall ends in lying, and who fights also strikes: a hit on the same person at the same moment is right in both words
KIN = {
    "falling": {"falling", "lying"},
    "lying": {"lying", "falling"},
    "fighting": {"fighting", "punching", "kicking", "pushing"},
    "punching": {"punching", "fighting"},
    "kicking": {"kicking", "fighting"},
    "pushing": {"pushing", "fighting"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that one person does in a rendered video."""

    event_id: str
    camera: str
    video: str
    behavior: str
    anomaly: bool
    start_seconds: float
    stop_seconds: float
    boxes: tuple[tuple[float, Box], ...]  # (pts_seconds, xyxy_px)

    def box_at(self, pts_seconds: float) -> Box | None:
        """Gives the box nearest in time, or None where there is none."""
        if not self.boxes:
            return None
        return min(self.boxes, key=lambda item: abs(item[0] - pts_seconds))[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHit:
    """What of a hit is compared with the truth."""

    hit_id: str
    behavior: str  # canonical action word of its query
    video: str
    start_seconds: float
    stop_seconds: float
    best_seconds: float
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class EventScore:
    """What the hits are worth; ``right`` hits name the event's behavior or its kin."""

    found: tuple[Event, ...]
    missed: tuple[Event, ...]
    right: int
    confused: int  # hits on an anomaly, but asked for something else
    false: int  # hits on nothing of the kind

    @property
    def num_anomalies(self) -> int:
        """Known anomalies."""
        return len(self.found) + len(self.missed)


def read_truth(path: Path) -> list[Event]:
    """Reads ``truth.json``."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [_event(row) for row in content["events"]]


def _event(row: dict[str, Any]) -> Event:
    boxes = tuple((float(item[0]), (item[1], item[2], item[3], item[4])) for item in row["boxes"])
    return Event(
        event_id=str(row["event_id"]),
        camera=row["camera"],
        video=row["video"],
        behavior=row["behavior"],
        anomaly=bool(row["anomaly"]),
        start_seconds=float(row["start_seconds"]),
        stop_seconds=float(row["end_seconds"]),
        boxes=boxes,
    )


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(area) - width * height)


def touches(hit: FoundHit, event: Event) -> bool:
    """Tells whether a hit lies on an event: same video, overlapping in time, boxes overlapping at its best moment."""
    if hit.video != event.video:
        return False
    if hit.stop_seconds < event.start_seconds - SLACK_SECONDS or hit.start_seconds > event.stop_seconds + SLACK_SECONDS:
        return False
    at = min(max(hit.best_seconds, event.start_seconds), event.stop_seconds)
    box = event.box_at(at)
    return box is not None and overlap(hit.box, box) >= LEAST_OVERLAP


def score_hits(events: Sequence[Event], hits: Iterable[FoundHit]) -> EventScore:
    """Scores hits against all events, normal ones too (a hit for running on a runner is right)."""
    found: set[str] = set()
    right = confused = false = 0
    for hit in hits:
        touched = [event for event in events if touches(hit, event)]
        fitting = [event for event in touched if event.behavior in KIN.get(hit.behavior, {hit.behavior})]
        found |= {event.event_id for event in fitting}
        if fitting:
            right += 1
        elif any(event.anomaly for event in touched):
            confused += 1
        else:
            false += 1
    anomalies = [event for event in events if event.anomaly]
    return EventScore(
        found=tuple(event for event in anomalies if event.event_id in found),
        missed=tuple(event for event in anomalies if event.event_id not in found),
        right=right,
        confused=confused,
        false=false,
    )

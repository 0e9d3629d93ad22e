"""Scores hits against the ground truth of a rendered archive: events found, missed, confused, false. Pure."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rendered.captions import ANSWERS

Box = tuple[float, float, float, float]
SLACK_SECONDS = 1.0
MIN_OVERLAP = 0.1
# a fall ends in lying, and who fights also strikes: a hit on the same person at the same moment is right in both words
_DOWN = {"falling", "collapsing", "crashing", "lying"}
KIN = {
    **dict.fromkeys(("falling", "collapsing", "crashing", "lying"), _DOWN),
    "fighting": {"fighting", "punching", "kicking", "pushing", "beaten"},
    "punching": {"punching", "fighting"},
    "beaten": {"beaten", "fighting"},
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
    person_id: str = ""

    @property
    def word(self) -> str:
        """The canonical word for what is done, as queries use it."""
        return ANSWERS.get(self.behavior, self.behavior)

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
    delays_seconds: tuple[float, ...]  # of each found event: from its start to the best moment of a hit on it
    overlaps: tuple[float, ...]  # of each right hit: its box over the event's at its best moment

    @property
    def num_anomalies(self) -> int:
        """Known anomalies."""
        return len(self.found) + len(self.missed)

    def false_per_camera_hour(self, camera_seconds: float) -> float:
        """False hits in an hour of one camera."""
        return self.false * 3600 / camera_seconds

    def figures(self, camera_seconds: float) -> dict[str, float]:
        """The figures of a report; medians are NaN where there is nothing."""
        missing = (float("nan"),)
        return {
            "events": self.num_anomalies,
            "found": len(self.found),
            "missed": len(self.missed),
            "right hits": self.right,
            "hits of another kind": self.confused,
            "false hits": self.false,
            "false hits per camera-hour": round(self.false_per_camera_hour(camera_seconds), 1),
            "median delay, s": round(statistics.median(self.delays_seconds or missing), 2),
            "median box overlap": round(statistics.median(self.overlaps or missing), 2),
        }


def read_truth(path: Path) -> list[Event]:
    """Reads ``truth.json``."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [_event(row) for row in content["events"]]


def read_camera_seconds(path: Path) -> float:
    """Reads how much video all cameras of a ``truth.json`` have together."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return float(sum(video["seconds"] for camera in content["cameras"] for video in camera["videos"]))


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
        person_id=str(row.get("person_id", "")),
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
    return _overlap_at_best(hit, event) >= MIN_OVERLAP


def _overlap_at_best(hit: FoundHit, event: Event) -> float:
    """Overlap of the boxes at the hit's best moment, or at the event's moment nearest to it."""
    box = event.box_at(min(max(hit.best_seconds, event.start_seconds), event.stop_seconds))
    return 0.0 if box is None else overlap(hit.box, box)


def score_hits(events: Sequence[Event], hits: Iterable[FoundHit]) -> EventScore:
    """Scores hits against all events, normal ones too (a hit for running on a runner is right)."""
    found: dict[str, float] = {}
    overlaps: list[float] = []
    confused = false = 0
    for hit in hits:
        touched = [event for event in events if touches(hit, event)]
        fitting = [event for event in touched if event.word in KIN.get(hit.behavior, {hit.behavior})]
        for event in fitting:
            delay = max(0.0, hit.best_seconds - event.start_seconds)
            found[event.event_id] = min(delay, found.get(event.event_id, delay))
        if fitting:
            overlaps.append(max(_overlap_at_best(hit, event) for event in fitting))
        elif any(event.anomaly for event in touched):
            confused += 1
        else:
            false += 1
    anomalies = [event for event in events if event.anomaly]
    return EventScore(
        found=tuple(event for event in anomalies if event.event_id in found),
        missed=tuple(event for event in anomalies if event.event_id not in found),
        right=len(overlaps),
        confused=confused,
        false=false,
        delays_seconds=tuple(delay for event in anomalies if (delay := found.get(event.event_id)) is not None),
        overlaps=tuple(overlaps),
    )

"""What the bundled demo archive shows by construction, read from its truth.json."""

import json
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]
MIN_OVERLAP = 0.1
SLACK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that one person does."""

    video: str
    behavior: str
    start_seconds: float
    stop_seconds: float
    boxes: tuple[tuple[float, Box], ...]  # (pts_seconds, xyxy_px)

    def overlap_at(self, pts_seconds: float, box: Box) -> float:
        """Intersection over union of a box and the person's box nearest in time."""
        _, own = min(self.boxes, key=lambda item: abs(item[0] - pts_seconds))
        width = max(0.0, min(own[2], box[2]) - max(own[0], box[0]))
        height = max(0.0, min(own[3], box[3]) - max(own[1], box[1]))
        areas = [(one[2] - one[0]) * (one[3] - one[1]) for one in (own, box)]
        return width * height / (sum(areas) - width * height)

    def shows(self, video: str, start: float, stop: float, best: float, box: Box) -> bool:
        """Whether a hit lies on this event: same video, overlapping in time, boxes overlapping at its best moment."""
        is_then = start <= self.stop_seconds + SLACK_SECONDS and stop >= self.start_seconds - SLACK_SECONDS
        return video == self.video and is_then and self.overlap_at(best, box) >= MIN_OVERLAP


def read_events(path: Path, camera: str) -> list[Event]:
    """Reads the events of one camera."""
    rows = json.loads(path.read_text(encoding="utf-8"))["events"]
    return [
        Event(
            video=row["video"],
            behavior=row["behavior"],
            start_seconds=row["start_seconds"],
            stop_seconds=row["end_seconds"],
            boxes=tuple((pts_seconds, tuple(box)) for pts_seconds, *box in row["boxes"]),
        )
        for row in rows
        if row["camera"] == camera
    ]

"""Pieces of the bundled demo archive, and what it shows by construction, read from its truth.json."""

import json
from dataclasses import dataclass
from pathlib import Path

import av

DEMO = Path(__file__).parents[2] / "configs/demo_archive"
SQUARE, CAR_PARK = "square/2026-03-14/12-40-30.mp4", "carpark/2026-03-14/16-05-24.mp4"
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


def cut_video(name: str, target: Path, seconds: float) -> Path:
    """Copies the beginning of a video of the archive without encoding it anew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(DEMO / name)) as opened, av.open(str(target), "w") as written:
        stream = opened.streams.video[0]
        copied = written.add_stream_from_template(stream)
        for packet in opened.demux(stream):
            if packet.dts is None or packet.dts * packet.time_base > seconds:
                break
            packet.stream = copied
            written.mux(packet)
    return target

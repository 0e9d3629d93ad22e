"""A fall as the ground truth of a rendered archive has it, and hits on it."""

from benchmarks.rendered.scoring import Event, FoundHit
from benchmarks.thresholds import Weighed

FALL = Event(
    event_id="e1",
    camera="gate",
    video="a.mp4",
    behavior="falling",
    anomaly=True,
    start_seconds=2.0,
    stop_seconds=3.0,
    boxes=((2.0, (10, 10, 50, 90)), (2.5, (10, 10, 50, 90)), (3.0, (10, 50, 90, 90))),
)


def weighed(left: float, z_score: float, confidence: float) -> Weighed:
    hit = FoundHit(
        hit_id=str(left),
        behavior="falling",
        video="a.mp4",
        start_seconds=2.0,
        stop_seconds=3.0,
        best_seconds=2.5,
        box=(left, 10, left + 40, 90),
    )
    return Weighed(hit=hit, z_score=z_score, confidence=confidence)

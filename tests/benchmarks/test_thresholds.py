"""Thresholds tried on what a sweep wrote."""

from benchmarks.rendered.scoring import FoundHit
from benchmarks.thresholds import Weighed, try_thresholds
from tests.benchmarks.events import FALL


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


def test_hits_must_pass_both_thresholds() -> None:
    hits = [weighed(10, 2.0, 0.6), weighed(300, 3.0, 0.4), weighed(400, 1.0, 0.9)]
    assert try_thresholds([FALL], hits, 0.0, 0.0, 3600) == (0.0, 0.0, 1, 1, 0, 2, 2.0)
    assert try_thresholds([FALL], hits, 1.5, 0.5, 3600) == (1.5, 0.5, 1, 1, 0, 0, 0.0)
    assert try_thresholds([FALL], hits, 2.5, 0.5, 3600) == (2.5, 0.5, 0, 0, 0, 0, 0.0)

"""Thresholds tried on what a sweep wrote."""

from benchmarks.thresholds import try_thresholds
from tests.benchmarks.events import FALL, weighed


def test_hits_must_pass_both_thresholds() -> None:
    hits = [weighed(10, 2.0, 0.6), weighed(300, 3.0, 0.4), weighed(400, 1.0, 0.9)]
    assert try_thresholds([FALL], hits, 0.0, 0.0, 3600) == (0.0, 0.0, 1, 1, 0, 2, 2.0)
    assert try_thresholds([FALL], hits, 1.5, 0.5, 3600) == (1.5, 0.5, 1, 1, 0, 0, 0.0)
    assert try_thresholds([FALL], hits, 2.5, 0.5, 3600) == (2.5, 0.5, 0, 0, 0, 0, 0.0)

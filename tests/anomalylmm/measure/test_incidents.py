from datetime import UTC, datetime, timedelta

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.measure.incidents import HitInterval, group_incidents

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def hit(name, start, stop, *, camera="gate", query="fall", confidence=0.7):
    return HitInterval(
        hit_id=name,
        query=query,
        camera=camera,
        start_utc=NOON + timedelta(seconds=start),
        stop_utc=NOON + timedelta(seconds=stop),
        confidence=confidence,
    )


def test_hits_close_in_time_are_one_incident():
    hits = [hit("b", 20, 25, confidence=0.9), hit("a", 0, 12), hit("c", 100, 110)]
    first, second = group_incidents(hits, 30)
    assert first.hit_ids == ("a", "b")
    assert (first.best_hit_id, first.confidence) == ("b", 0.9)
    assert first.stop_utc == NOON + timedelta(seconds=25)
    assert second.hit_ids == ("c",)


def test_a_long_hit_bridges_short_ones():
    assert len(group_incidents([hit("a", 0, 100), hit("b", 10, 12), hit("c", 110, 120)], 15)) == 1


def test_other_queries_and_cameras_are_other_incidents():
    hits = [hit("a", 0, 1), hit("b", 0, 1, camera="door"), hit("c", 0, 1, query="run")]
    assert len(group_incidents(hits)) == 3


def test_an_incident_that_grows_keeps_its_id():
    hits = [hit("a", 0, 10), hit("b", 15, 20)]
    assert group_incidents(hits[:1])[0].incident_id == group_incidents(hits)[0].incident_id


def test_a_negative_gap_is_refused():
    with pytest.raises(ConfigurationError):
        group_incidents([], -1)

"""Hits against the ground truth of a rendered archive."""

import math

import pytest

from benchmarks.rendered.scoring import Event, FoundHit, overlap, score_hits

BOX = (100.0, 100.0, 150.0, 200.0)


def event(name: str, behavior: str, start: float, stop: float, *, anomaly: bool = True) -> Event:
    return Event(
        event_id=name,
        camera="gate",
        video="gate/a.mp4",
        behavior=behavior,
        anomaly=anomaly,
        start_seconds=start,
        stop_seconds=stop,
        boxes=((start, BOX), (stop, BOX)),
    )


def hit(behavior: str, at: float, box: tuple[float, float, float, float] = BOX, video: str = "gate/a.mp4") -> FoundHit:
    return FoundHit(
        hit_id=f"{behavior}{at}",
        behavior=behavior,
        video=video,
        start_seconds=at - 1,
        stop_seconds=at + 1,
        best_seconds=at,
        box=box,
    )


def test_a_hit_on_the_event_finds_it_and_a_hit_elsewhere_is_false() -> None:
    score = score_hits([event("1", "falling", 10, 11)], [hit("falling", 10.5), hit("falling", 30)])
    assert ([item.event_id for item in score.found], score.right, score.false) == (["1"], 1, 1)


def test_a_fall_ends_in_lying_so_either_word_finds_both() -> None:
    events = [event("1", "falling", 10, 11), event("2", "lying", 11, 20)]
    score = score_hits(events, [hit("lying", 12)])
    assert len(score.found) == 2
    assert score.right == 1


def test_the_right_person_doing_the_wrong_thing_is_confused_and_finds_nothing() -> None:
    score = score_hits([event("1", "lying", 10, 20)], [hit("running", 15)])
    assert (score.confused, score.right, len(score.missed)) == (1, 0, 1)


def test_another_person_at_the_same_moment_is_false() -> None:
    score = score_hits([event("1", "lying", 10, 20)], [hit("lying", 15, box=(400.0, 100.0, 450.0, 200.0))])
    assert (score.false, len(score.missed)) == (1, 1)


def test_a_hit_on_a_normal_event_of_its_kind_is_right_but_finds_no_anomaly() -> None:
    score = score_hits([event("1", "running", 10, 20, anomaly=False)], [hit("running", 15)])
    assert (score.right, score.num_anomalies) == (1, 0)


def test_another_video_is_another_place() -> None:
    assert score_hits([event("1", "lying", 10, 20)], [hit("lying", 15, video="gate/b.mp4")]).false == 1


def test_events_are_named_as_queries_name_them() -> None:
    score = score_hits([event("1", "hit_by_vehicle", 10, 20)], [hit("colliding", 12)])
    assert len(score.found) == 1


def test_the_delay_is_from_the_events_start_to_the_earliest_hits_best_moment() -> None:
    score = score_hits([event("1", "lying", 10, 20)], [hit("lying", 17), hit("falling", 12.5), hit("lying", 8)])
    assert score.delays_seconds == (0.0,)
    assert score_hits([event("1", "lying", 10, 20)], [hit("lying", 17), hit("lying", 13)]).delays_seconds == (3.0,)


def test_false_hits_are_counted_an_hour_of_one_camera() -> None:
    score = score_hits([event("1", "lying", 10, 20)], [hit("running", 50), hit("kicking", 60), hit("lying", 15)])
    figures = score.figures(camera_seconds=360)
    assert figures["false hits per camera-hour"] == pytest.approx(20)
    assert (figures["found"], figures["median box overlap"]) == (1, 1.0)
    assert math.isnan(score_hits([], []).figures(1)["median delay, s"])


def test_overlap_is_that_of_areas() -> None:
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6
    assert overlap((0, 0, 1, 1), (1, 1, 2, 2)) == 0

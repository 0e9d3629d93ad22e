"""Hits on labeled clips, against scores made by hand."""

import pytest

from anomalylmm.measure.clip_scores import ClipEvent, ClipHit, judge_hit, score_clips


def hit(query: str, file: str, start: float = 0.0, stop: float = 1.0) -> ClipHit:
    return ClipHit(hit_id=f"{query}-{file}-{start}", query=query, file=file, start_seconds=start, stop_seconds=stop)


def event(file: str, behavior: str, start: float | None = None, stop: float | None = None) -> ClipEvent:
    return ClipEvent(file=file, behavior=behavior, start_seconds=start, stop_seconds=stop)


QUERIES = {"fall": frozenset({"falling"}), "run": frozenset({"running"}), "who": frozenset[str]()}


@pytest.mark.parametrize(
    ("start", "stop", "verdict"),
    [(3.0, 4.0, "right"), (0.0, 1.5, "right"), (0.0, 1.4, "false"), (6.5, 9.0, "right"), (6.6, 9.0, "false")],
)
def test_a_hit_is_right_within_the_labeled_seconds_and_their_slack(start: float, stop: float, verdict: str) -> None:
    assert judge_hit(hit("fall", "a", start, stop), ["falling"], [event("a", "falling", 3.0, 5.0)]) == verdict


def test_without_seconds_the_whole_clip_counts_and_another_clip_never() -> None:
    assert judge_hit(hit("fall", "a", 90.0, 99.0), ["falling"], [event("a", "falling")]) == "right"
    assert judge_hit(hit("fall", "b", 90.0, 99.0), ["falling"], [event("a", "falling")]) == "false"


def test_a_hit_of_the_same_family_is_akin_and_right_goes_before() -> None:
    lying, falling = event("a", "lying", 5.0, 9.0), event("a", "falling", 3.0, 5.0)
    assert judge_hit(hit("fall", "a", 8.0, 9.0), ["falling"], [lying, falling]) == "akin"
    assert judge_hit(hit("fall", "a", 4.0, 9.0), ["falling"], [lying, falling]) == "right"
    assert judge_hit(hit("run", "a"), ["running"], [event("a", "walking")]) == "akin"
    assert judge_hit(hit("run", "a"), ["running"], [event("a", "sitting")]) == "false"


def test_the_figures_of_three_clips() -> None:
    events = [event("a", "falling", 1.0, 2.0), event("a", "lying", 2.0, 6.0), event("b", "walking")]
    hits = [hit("fall", "a", 1.0, 3.0), hit("fall", "a", 5.0, 6.0), hit("run", "b"), hit("fall", "c"), hit("who", "c")]
    scores = score_clips(events, hits, QUERIES, {"a": 6.0, "b": 6.0, "c": 24.0})
    assert scores.found == (events[0],)
    assert scores.missed == ()
    assert scores.unasked == (events[1], events[2])
    assert [verdict for _, verdict in scores.verdicts] == ["right", "akin", "akin", "false"]
    assert (scores.anomalous, scores.normal) == (("a",), ("b", "c"))
    assert scores.figures() == {
        "events": 1,
        "events_found": 1,
        "events_not_asked_for": 2,
        "hits": 4,
        "hits_right": 1,
        "hits_akin": 2,
        "hits_false": 1,
        "anomalous_clips": 1,
        "anomalous_clips_flagged": 1,
        "normal_clips": 2,
        "normal_clips_flagged": 2,
        "footage_seconds": 36.0,
        "false_hits_per_hour": 100.0,
    }
    assert [(row.query, row.events, row.found, row.right, row.akin, row.false) for row in scores.queries] == [
        ("fall", 1, 1, 1, 1, 1),
        ("run", 0, 0, 0, 1, 0),
    ]


def test_who_lies_in_a_clip_makes_it_anomalous_for_a_query_for_falls_but_walkers_do_not_for_runners() -> None:
    scores = score_clips(
        [event("a", "lying"), event("b", "walking"), event("c", "running")], [], QUERIES, {"a": 1.0, "b": 1.0, "c": 1.0}
    )
    assert scores.anomalous == ("a", "c")
    assert scores.normal == ("b",)
    assert scores.missed == (event("c", "running"),)


def test_an_event_of_a_clip_that_could_not_be_read_is_missed() -> None:
    scores = score_clips([event("lost", "falling")], [hit("fall", "lost")], QUERIES, {})
    assert scores.missed == (event("lost", "falling"),)
    assert scores.verdicts == ()
    assert scores.false_per_hour is None

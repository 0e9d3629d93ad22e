"""What a side of the indexing benchmark is given credit for."""

from dataclasses import replace

import numpy as np

from benchmarks.floor import Took, compare, measure
from benchmarks.maps import cells_inside
from benchmarks.peers.__main__ import ratios_of, tabulate
from benchmarks.peers.loops import Thin, iter_batches
from benchmarks.peers.seen import Look, count_seen, share_seen
from benchmarks.peers.trial import Trial
from tests.benchmarks.events import FALL

WALK = replace(
    FALL,
    event_id="e0",
    behavior="walking",
    anomaly=False,
    start_seconds=0.0,
    stop_seconds=2.0,
    boxes=((0.0, (10, 10, 50, 90)),),
)


def look(pts_seconds: float, box: tuple[float, float, float, float], video: str = "a.mp4") -> Look:
    return Look(video=video, pts_seconds=pts_seconds, box=box)


def test_an_event_is_seen_by_one_look_at_its_person_in_its_time() -> None:
    assert count_seen([FALL, WALK], [look(2.9, (12, 52, 90, 90))]) == (1, 1)
    assert count_seen([FALL, WALK], [look(1.0, (12, 12, 50, 88))]) == (0, 1)


def test_another_video_place_or_time_does_not_count() -> None:
    looks = [look(2.9, (12, 52, 90, 90), "b.mp4"), look(2.9, (200, 52, 290, 90)), look(3.3, (12, 52, 90, 90))]
    assert count_seen([FALL], looks) == (0, 0)


def trial(side: str, seconds: float) -> Trial:
    return Trial(
        side=side,
        seconds=seconds,
        whole_seconds=seconds + 1,
        peak_mib=100,
        num_embedded=5,
        anomalies_seen=1,
        events_seen=2,
        cpu_seconds=2 * seconds,
        persons_seen=0.5,
    )


def test_rounds_are_compared_and_medians_shown() -> None:
    trials = [trial("ours", 2), trial("tuned", 20), trial("tuned", 40), trial("ours", 2)]
    assert ratios_of(trials) == {"tuned": [10, 20]}
    ours, tuned = tabulate(trials, [FALL, WALK], video_seconds=60)
    assert ours == ("ours", "2.0", "4.0", "240", "5", "100", "1 of 1", "2 of 2", "50%")
    assert tuned[1] == "30.0"


def test_a_person_counts_as_seen_in_each_second_by_itself() -> None:
    looks = [look(0.1, (10, 10, 50, 90)), look(0.4, (10, 10, 50, 90))]
    assert share_seen([WALK], looks) == 0.5
    assert share_seen([WALK], [*looks, look(1.5, (10, 10, 50, 90))]) == 1.0
    assert share_seen([WALK], [look(0.1, (200, 10, 250, 90))]) == 0.0


def test_a_loop_takes_a_crop_of_a_track_when_enough_time_has_passed() -> None:
    thin = Thin(1.0)
    wanted = [thin.wants(*moment) for moment in ((1, 0.0), (1, 0.9), (2, 0.9), (1, 1.0), (1, 1.9), (2, 2.0))]
    assert wanted == [True, False, True, True, False, True]


def test_the_first_round_of_the_floor_does_not_count() -> None:
    class Stages:
        calls = 0

        def decode(self) -> None:
            Stages.calls += 1

        detect = track = encode = whole = decode

    took = measure(Stages(), 2)  # type: ignore[arg-type]
    assert Stages.calls == 15
    assert [len(mine) for mine in took.values()] == [2] * 5


def test_the_whole_is_compared_with_the_slowest_stage_and_with_all_work() -> None:
    parts = {"decode": (2, 2), "detect": (10, 18), "track": (1, 1), "encode": (3, 3), "whole": (15, 25)}
    took = {name: [Took(seconds=seconds, cpu_seconds=cpu)] * 3 for name, (seconds, cpu) in parts.items()}
    ratios = compare(took, cores=2)
    assert ratios == {
        "over decode alone": 7.5,
        "over detect alone": 1.5,
        "over the work of all stages on all cores": 15 / 12,
    }


def test_cells_are_inside_by_their_middle() -> None:
    inside = cells_inside([0.5, 0.0, 1.0, 0.5], 4, 4)
    assert inside.dtype == bool
    np.testing.assert_array_equal(np.argwhere(inside), [[0, 2], [0, 3], [1, 2], [1, 3]])


def test_batches_of_a_loop_lose_no_frame() -> None:
    frames = [np.full((1, 1, 3), number, np.uint8) for number in range(7)]
    batches = list(iter_batches(iter(frames), 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [int(frame[0, 0, 0]) for batch in batches for frame in batch] == list(range(7))

import numpy as np
import pytest

from anomalylmm.posture.classes import CHANNELS, EVENTS, STILLS
from anomalylmm.posture.tracks import BodyTrack, height_ratio
from anomalylmm.records import Floats
from tests.anomalylmm.posture.bodies import box_of, lying, standing


def _still(name: str) -> Floats:
    row = np.full(len(STILLS), 0.01, np.float32)
    row[STILLS.index(name)] = 0.9
    return row


def _track(joints: list[Floats], names: list[str], first: float = 0.0) -> BodyTrack:
    track = BodyTrack()
    for number, (body, name) in enumerate(zip(joints, names, strict=True)):
        track.add(first + number / 3, box_of(body), body, _still(name))
    return track


def test_a_fall_counts_for_the_second_in_which_it_ends() -> None:
    track = _track([standing()] * 6 + [lying()] * 6, ["standing"] * 6 + ["lying"] * 6)
    bodies = track.read([0.3, 1.3, 2.3, 3.3], [(0, 0.99), (1, 1.99), (2, 2.99), (3, 3.99)])
    falls = [body.fall_score for body in bodies if body]
    assert len(falls) == 4
    assert int(np.argmax(falls)) == 2
    assert falls[2] > 0.8
    assert [body.posture for body in bodies if body] == ["standing", "standing", "lying", "lying"]


def test_scores_have_a_number_for_each_channel() -> None:
    body = _track([standing()] * 3, ["standing"] * 3).read([0.3], [(0, 1)])[0]
    assert body is not None
    assert body.posture_scores.shape == (len(CHANNELS),)
    assert body.trunk_angle_degrees < 2
    assert body.height_ratio > 0.7


def test_unsure_joints_say_nothing() -> None:
    unsure = standing()
    unsure[:, 2] = 0.05
    assert _track([unsure] * 3, ["standing"] * 3).read([0.3], [(0, 1)]) == [None]


def test_a_span_without_joints_has_no_body() -> None:
    assert _track([standing()] * 3, ["standing"] * 3).read([5.0], [(5, 6)]) == [None]


def test_a_fall_from_one_tracklet_into_the_next_is_seen() -> None:
    before = _track([standing()] * 6, ["standing"] * 6)
    after = before.since(2.0)
    for number in range(6):
        after.add(2.0 + number / 3, box_of(lying()), lying(), _still("lying"))
    body = after.read([2.3], [(2, 2.99)])[0]
    assert body is not None
    assert body.fall_score > 0.8


def test_flat_bodies_have_a_small_height_ratio() -> None:
    assert height_ratio(lying()) < 0.25
    assert height_ratio(standing()) > 0.7


class _Head:
    """Sees a fall at the third moment, a rise at the fifth, and somebody lying at all of them."""

    def read(self, pts_seconds: Floats, keypoints: Floats, stills: Floats) -> Floats:
        read = np.zeros((len(pts_seconds), len(STILLS) + len(EVENTS)), np.float32)
        read[:, STILLS.index("lying")] = 1
        read[2, len(STILLS) + EVENTS.index("fall")] = 0.9
        read[4, len(STILLS) + EVENTS.index("rise")] = 0.8
        return read


def test_a_sequence_head_gives_half_of_the_fall_and_of_the_stills() -> None:
    bodies = _track([standing()] * 6, ["standing"] * 6).read([0.3, 1.3], [(0, 0.99), (1, 1.99)], _Head())  # type: ignore[arg-type]
    falls = [round(body.fall_score, 2) for body in bodies if body]
    lying_scores = [round(float(body.posture_scores[STILLS.index("lying")]), 2) for body in bodies if body]
    assert falls == [0.45, 0.0]
    assert [body.rise_score for body in bodies if body] == [0.0, pytest.approx(0.8)]
    assert all(0.5 <= score < 0.52 for score in lying_scores)

from random import Random

import numpy as np
import pytest

from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.features import SWAPPED
from anomalylmm.posture.windows import describe_windows
from benchmarks.pocket.posture.samples import CLASS_OF
from benchmarks.pocket.sequence import data, errors, motions
from benchmarks.pocket.sequence.errors import Errors
from benchmarks.pocket.sequence.manners import PROPPED, TILT, loosen
from benchmarks.pocket.sequence.simulate import UNSURE, Acted, _events, view
from benchmarks.pocket.sequence.train import mirror_windows
from benchmarks.rendered.behavior import pose
from benchmarks.rendered.body import JOINTS
from tests.anomalylmm.posture.bodies import lying, standing

NO_ERRORS = Errors(bodies=np.zeros((1, 17, 2), np.float32), misses=np.zeros((1, 17, 2), np.float32))


def _instants(stages, step=0.1):
    return [motions.at(stages, t) for t in np.arange(0, motions.length_seconds(stages), step)]


@pytest.mark.parametrize("make", [motions.falls, motions.tumbles, motions.sinks])
def test_who_falls_is_up_then_falling_then_lying(make):
    for seed in range(10):
        names = [now.behavior for now in _instants(make(Random(seed)))]
        falls = [now.change == "fall" for now in _instants(make(Random(seed)))]
        assert any(falls)
        assert "lying" in names[falls.index(True) :]
        assert names[0] not in ("lying", "falling")


def test_who_lies_down_slowly_does_not_fall():
    for seed in range(20):
        assert all(now.change != "fall" for now in _instants(motions.lies_down(Random(seed))))


def test_every_instant_has_a_posture_that_the_head_knows():
    named = {now.behavior for seed in range(200) for now in _instants(motions.draw_motion(Random(seed)), 0.5)}
    assert {CLASS_OF[name] for name in named} >= {"standing", "walking", "sitting", "crouching", "lying", "falling"}


def test_a_fall_shows_from_its_middle_until_soon_after_its_end():
    stages = [
        motions.Stage(behavior="standing", seconds=2.0),
        motions.Stage(behavior="lying", seconds=6.0, change_seconds=1.0, change="fall"),
    ]
    times = np.array([1.0, 2.2, 2.7, 3.5, 4.2, 6.0])
    shown = _events(stages, times, 1.0)[:, EVENTS.index("fall")]
    assert shown.tolist() == [0, UNSURE, 1, 1, UNSURE, 0]


def test_a_camera_sees_joints_where_they_are():
    joints = np.random.default_rng(0).uniform(-0.5, 1.5, (12, len(JOINTS), 3)).astype(np.float32)
    acted = _acted(joints)
    seen = [motion for seed in range(20) if (motion := view(acted, NO_ERRORS, seed)) is not None]
    assert len(seen) > 10
    assert all(motion.keypoints.shape == (len(motion.pts_seconds), 17, 3) for motion in seen)
    assert all(np.isfinite(motion.keypoints).all() for motion in seen)


def test_nobody_stands_quite_like_another_but_each_stays_the_same_throughout():
    plain = pose("standing", 0.0, 7)
    assert loosen(plain, 1) == loosen(plain, 1)
    assert loosen(plain, 1) != loosen(plain, 2)
    assert all(knee >= 0 for seed in range(50) for _, _, knee, *_ in loosen(plain, seed).leg)
    assert all(abs(loosen(plain, seed).tilt - plain.tilt) < 5 * TILT for seed in range(50))


def test_about_a_third_of_those_on_the_ground_hold_their_trunk_up():
    plain = pose("lying", 0.0, 7, "on the back")
    raised = [loosen(plain, seed, down=1.0).tilt - loosen(plain, seed).tilt for seed in range(300)]
    assert 0.25 < np.mean([by > PROPPED[0] - 1e-6 for by in raised]) < 0.45
    assert max(raised) <= PROPPED[1]
    assert min(raised) == 0


def test_errors_are_those_of_the_most_similar_body_in_its_size(monkeypatch):
    monkeypatch.setattr(errors, "WORSE", (1.0,))
    bodies = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 17, 2)).astype(np.float32)
    bodies[:, 0], bodies[:, 1] = -0.5, 0.5
    misses = np.stack([np.full((17, 2), 0.1), np.full((17, 2), 0.2)]).astype(np.float32)
    seen = Errors(bodies=bodies, misses=misses).add_to(bodies * 50 + 7, np.random.default_rng(0))
    np.testing.assert_allclose(seen - (bodies * 50 + 7), misses * 50, atol=1e-4)


def test_written_motions_are_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PIECE", 3)
    monkeypatch.setattr(data, "act", lambda _bodies, _split, seed: _acted(np.full((4 + seed % 3, 16, 3), seed, "f4")))
    assert data.write_acted(None, tmp_path, "validation", 0)
    assert not data.write_acted(None, tmp_path, "validation", 0)
    read = data.read_acted(tmp_path, "validation")
    first = data.FIRST_SEED["validation"]
    assert [len(one.pts_seconds) for one in read] == [4 + (first + k) % 3 for k in range(3)]
    assert [one.joints[0, 0, 0] for one in read] == [np.float32(first + k) for k in range(3)]


def test_a_mirrored_window_is_the_window_of_the_mirrored_body():
    bodies = np.stack([standing(), lying()])
    turned = bodies[:, list(SWAPPED)] * np.array([-1, 1, 1], np.float32)
    stills = np.full((2, len(STILLS)), 1 / len(STILLS), np.float32)
    plain, seen = (describe_windows(np.arange(2) / 3, each, stills) for each in (bodies, turned))
    np.testing.assert_allclose(mirror_windows(plain), seen, atol=1e-5)


def _acted(joints):
    moments = len(joints)
    return Acted(
        pts_seconds=np.arange(moments) / 3,
        joints=joints,
        stills=np.full(moments, STILLS.index("standing")),
        events=np.zeros((moments, len(EVENTS)), np.float32),
        falls=np.zeros(moments, bool),
    )

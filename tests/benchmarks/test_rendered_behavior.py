from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from benchmarks.rendered.behavior import ANOMALIES, BEHAVIORS, NORMAL, ROLES, partner, pose
from benchmarks.rendered.crops import held_out, is_held_out
from benchmarks.rendered.motion import state
from benchmarks.rendered.pose import mix, root_rotation, rotations
from benchmarks.rendered.story import ANOMALY_STORIES, NORMAL_STORIES


def _angles(p: object) -> list[float]:
    legs_and_arms = [v for limb in (*p.leg, *p.arm) for v in limb]  # type: ignore[attr-defined]
    return [*legs_and_arms, *p.spine, *p.neck, p.tilt, p.lift_m]  # type: ignore[attr-defined]


@pytest.mark.parametrize("behavior", BEHAVIORS + ROLES)
def test_poses_are_repeatable_finite_and_humanly_possible(behavior: str) -> None:
    for seed in range(20):
        for phase in (0.0, 0.3, 0.7, 1.0):
            now = pose(behavior, phase, seed)
            assert now == pose(behavior, phase, seed)
            assert all(math.isfinite(v) for v in _angles(now))
            assert all(-10 <= leg[2] <= 150 and -60 <= leg[0] <= 160 for leg in now.leg)
            assert all(-10 <= arm[2] <= 150 for arm in now.arm)
            assert abs(now.tilt) <= 95


@pytest.mark.parametrize("behavior", [b for b in BEHAVIORS if b != "jumping"])
def test_motion_has_no_jumps(behavior: str) -> None:
    for seed in range(6):
        steps = [_angles(pose(behavior, k / 100, seed)) for k in range(101)]
        assert np.abs(np.diff(steps, axis=0)).max() < 14


def test_bone_rotations_are_rotations() -> None:
    for behavior in BEHAVIORS:
        now = pose(behavior, 0.4, 7)
        turns = np.concatenate([rotations(now), root_rotation(now)[None]])
        assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-5)


def test_mixing_reaches_both_ends() -> None:
    a, b = pose("walking", 0.2, 1), pose("lying", 0.0, 2)
    assert np.allclose(_angles(mix(a, b, 0.0)), _angles(a))
    assert np.allclose(_angles(mix(a, b, 1.0)), _angles(b))


def test_normal_and_anomalous_behaviors_are_disjoint() -> None:
    assert not set(NORMAL) & set(ANOMALIES)


def test_two_person_behaviors_have_a_partner() -> None:
    for behavior in ("fighting", "pushing", "punching", "dragged"):
        assert partner(behavior, 3) is not None


def test_training_has_combinations_it_must_not_show() -> None:
    pairs, acts = held_out()
    upper, lower = next(iter(pairs))
    color, behavior = next(iter(acts))
    assert is_held_out(upper, lower, "standing")
    assert is_held_out(color, "no such color", behavior)


@pytest.mark.parametrize("make", [*NORMAL_STORIES, *ANOMALY_STORIES.values()], ids=lambda f: f.__name__)
def test_nobody_is_teleported_in_a_story(make: object) -> None:
    story = make(Random(5), 8.0)  # type: ignore[operator]
    for path in story.paths:
        places = [state(path, k / 12) for k in range(60 * 12)]
        for before, after in pairwise(places):
            if before is not None and after is not None:
                assert math.dist((before.x, before.y), (after.x, after.y)) < 0.9

"""Behaviors of two: blows, pushes and what the other person does meanwhile.

A builder takes the person's manner and the phase; full reach comes around phase 0.5.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from benchmarks.rendered.draft import Draft
from benchmarks.rendered.pose import Pose, ease, mix

if TYPE_CHECKING:
    from collections.abc import Callable


GRAPPLING_SHARE = 0.5  # of all fights; in the others both strike


def punching(u: Random, phase: float) -> Pose:
    guard, hit = guarding(Random(u.randrange(1 << 30)), phase), Draft(u, yaw=(-8, 8))
    hit.spine(u.uniform(4, 16), 0, (24 if hit.a == "R" else -24) * u.uniform(0.6, 1.1))
    hit.tilt = u.uniform(0, 8)
    hit.leg(hit.a, -u.uniform(10, 25), u.uniform(4, 10), u.uniform(5, 20), 10)
    hit.leg(hit.b, u.uniform(15, 30), u.uniform(4, 10), u.uniform(15, 35))
    hit.arm(hit.a, u.uniform(80, 98), u.uniform(4, 14), u.uniform(0, 15))
    hit.arm(hit.b, u.uniform(35, 60), u.uniform(5, 14), u.uniform(108, 132))
    return mix(guard, hit.pose(), _blow(phase))


def kicking(u: Random, phase: float) -> Pose:
    base, d = guarding(Random(u.randrange(1 << 30)), phase), Draft(u, yaw=(-10, 10))
    d.tilt = -u.uniform(6, 22)
    high = u.random() < 0.6
    d.leg(d.a, u.uniform(70, 100) if high else u.uniform(45, 65), u.uniform(0, 14), u.uniform(0, 22), -10)
    d.leg(d.b, d.tilt + u.uniform(-3, 4), 2, u.uniform(3, 15))
    d.spine(u.uniform(8, 22), u.uniform(-6, 6), u.uniform(-15, 15))
    for side in d.sides:
        d.arm(side, u.uniform(0, 50), u.uniform(15, 50), u.uniform(30, 105))
    d.variant = "high" if high else "low"
    return mix(base, d.pose(), _blow(phase))


def pushing(u: Random, phase: float) -> Pose:
    base, d = guarding(Random(u.randrange(1 << 30)), phase), Draft(u, yaw=(-8, 8))
    d.tilt = u.uniform(8, 20)
    d.spine(u.uniform(4, 14))
    d.leg(d.a, d.tilt - u.uniform(22, 38), 3, u.uniform(3, 12), 10)
    d.leg(d.b, d.tilt + u.uniform(18, 32), 3, u.uniform(18, 35))
    for side in d.sides:
        d.arm(side, u.uniform(84, 98) + d.tilt * 0.4, u.uniform(4, 12), u.uniform(3, 22))
    return mix(base, d.pose(), _blow(phase))


def _blow(phase: float) -> float:
    """Full reach around phase 0.5, guard at 0 and 1."""
    return ease(1.9 * math.sin(math.pi * (phase % 1.0)) - 0.35)


def fighting(u: Random, phase: float) -> Pose:
    manner = u.random()
    seed = Random(u.randrange(1 << 30))
    if manner < GRAPPLING_SHARE:
        return grappling(seed, phase)
    return punching(seed, phase) if manner < 0.8 else kicking(seed, phase)


def grappling(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(5, 25), yaw=(-25, 25))
    d.tilt = u.uniform(5, 18)
    d.spine(u.uniform(6, 20), 6 * math.sin(6.3 * phase), u.uniform(-20, 20))
    d.leg(d.a, d.tilt - u.uniform(12, 28), 6, u.uniform(5, 20), 8)
    d.leg(d.b, d.tilt + u.uniform(15, 30), 6, u.uniform(15, 35))
    for side in d.sides:
        d.arm(side, u.uniform(65, 95) + d.tilt + 5 * math.sin(6.3 * phase), u.uniform(5, 28), u.uniform(15, 60))
    d.variant = "grappling"
    return d.pose()


def guarding(u: Random, phase: float) -> Pose:
    d = Draft(u, yaw=(-10, 10))
    d.tilt = -u.uniform(0, 8)
    d.spine(u.uniform(4, 15), 2 * math.sin(6.3 * phase))
    d.leg(d.a, d.tilt - u.uniform(8, 16), 5, u.uniform(5, 18))
    d.leg(d.b, d.tilt + u.uniform(16, 28), 5, u.uniform(12, 28))
    for side in d.sides:
        d.arm(side, u.uniform(50, 80), u.uniform(5, 14), u.uniform(98, 130))
    return d.pose()


def recoiling(u: Random, phase: float) -> Pose:
    d = Draft(u)
    d.tilt = -u.uniform(10, 20) - 6 * math.sin(math.pi * (phase % 1.0))
    d.spine(u.uniform(-4, 12), u.uniform(-6, 6))
    d.leg(d.a, d.tilt - u.uniform(4, 14), 5, u.uniform(5, 25))
    d.leg(d.b, u.uniform(2, 14), 5, u.uniform(10, 28))
    for side in d.sides:
        d.arm(side, u.uniform(40, 80), u.uniform(20, 55), u.uniform(15, 70))
    return d.pose()


def staggering(u: Random, phase: float) -> Pose:
    d = Draft(u)
    d.tilt = -u.uniform(16, 30) - 3 * math.sin(math.pi * (phase % 1.0))
    d.spine(u.uniform(6, 22), u.uniform(-6, 6))
    d.leg(d.a, d.tilt - u.uniform(2, 8), 5, u.uniform(8, 25))
    d.leg(d.b, u.uniform(5, 20), 5, u.uniform(5, 20), 10)
    for side in d.sides:
        d.arm(side, u.uniform(35, 70), u.uniform(35, 75), u.uniform(10, 45))
    return d.pose()


def hit_by_person(u: Random, phase: float) -> Pose:
    return (staggering if u.random() < 0.5 else recoiling)(Random(u.randrange(1 << 30)), phase)


def dragging(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(0, 15))
    d.tilt = u.uniform(28, 40)
    d.spine(u.uniform(20, 32))
    step = 12 * math.sin(2 * math.pi * phase)
    d.leg(d.a, d.tilt + 14 + step, 5, u.uniform(22, 36))
    d.leg(d.b, d.tilt - 6 - step, 5, u.uniform(18, 32))
    for side in d.sides:
        d.arm(side, u.uniform(52, 64), 4, u.uniform(2, 12))
    return d.pose()


BUILDERS: dict[str, Callable[[Random, float], Pose]] = {
    f.__name__: f
    for f in (
        *(punching, kicking, pushing, fighting, hit_by_person),
        *(grappling, guarding, recoiling, staggering, dragging),
    )
}

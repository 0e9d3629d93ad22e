"""Behaviors that bring the trunk to the ground or a seat: sitting, lying, falling, collapsing, crawling, dragged."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from benchmarks.rendered.draft import Draft
from benchmarks.rendered.pose import ease, mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rendered.pose import Pose

DIRECTIONS = ("backward", "forward", "side", "slipping")


def sitting(u: Random, phase: float, variant: str | None = None) -> Pose:
    """On a bench, or on the ground with legs stretched, drawn up or crossed."""
    d = Draft(u, pitch=(0, 22))
    kind = variant or u.choice(["bench", "bench", "stretched", "drawn up", "crossed"])
    back = u.uniform(0, 10) if kind == "bench" else u.uniform(6, 20)
    d.tilt, d.planted, d.variant = -back, 1.0, kind
    for side in d.sides:
        if kind == "bench":
            d.leg(side, 88 - back + u.uniform(-4, 4), u.uniform(0, 10), u.uniform(82, 98))
        elif kind == "stretched":
            d.leg(side, 88 - back, u.uniform(2, 15), u.uniform(0, 8), -12)
        elif kind == "drawn up":
            rise = u.uniform(38, 52)
            d.leg(side, 90 - back + rise, u.uniform(2, 10), 2 * rise + u.uniform(-4, 6))
        else:
            d.leg(side, 92 - back, u.uniform(32, 42), u.uniform(100, 122), 0, turn=-40)
        _sitting_arm(d, u, side, kind)
    d.spine(back + u.uniform(0, 22), u.uniform(-5, 5) + math.sin(6.3 * phase), u.uniform(-8, 8))
    d.prop = "bench" if kind == "bench" else ""
    d.planted = 0.0 if kind == "bench" else 1.0
    return d.pose()


def _sitting_arm(d: Draft, u: Random, side: str, kind: str) -> None:
    if kind == "stretched" and u.random() < 0.5:
        d.arm(side, -u.uniform(25, 38), u.uniform(12, 22), u.uniform(0, 12))
    elif kind == "drawn up":
        d.arm(side, u.uniform(45, 65), u.uniform(6, 15), u.uniform(10, 40))
    else:
        d.arm(side, u.uniform(18, 38), u.uniform(6, 15), u.uniform(30, 70))


def lying(u: Random, phase: float, variant: str | None = None) -> Pose:
    """On the back, the front or a side; legs stay at the ground."""
    kind = variant or u.choice(["on the back", "on the back", "on the front", "on the side"])
    return _on_ground(u, kind, azimuth=u.uniform(-180, 180), breath=math.sin(6.3 * phase))


def _on_ground(u: Random, kind: str, azimuth: float, breath: float = 0.0) -> Pose:
    d = Draft(u, pitch=(-6, 8), yaw=(-30, 30))
    d.planted, d.variant, d.azimuth = 1.0, kind, azimuth
    d.tilt = 90 if kind == "on the front" else -90
    d.spin = azimuth + (u.choice([-1, 1]) * u.uniform(70, 88) if kind == "on the side" else u.uniform(-10, 10))
    d.spine(u.uniform(-2, 4) + breath, u.uniform(-8, 8))
    for side in d.sides:
        _lying_leg(d, u, side, kind)
        wide = u.uniform(6, 60) if u.random() < 0.65 else u.uniform(80, 140)
        d.arm(side, u.uniform(0, 6), wide, u.uniform(5, 35))
    if kind == "on the side":
        d.spine(u.uniform(8, 28), 0)
        for side in d.sides:
            d.arm(side, u.uniform(30, 80), u.uniform(2, 12), u.uniform(20, 80))
    return d.pose()


def _lying_leg(d: Draft, u: Random, side: str, kind: str) -> None:
    bent = u.random() < 0.35
    if kind == "on the side":
        flexion = u.uniform(20, 60) if bent else u.uniform(2, 18)
        d.leg(side, flexion, u.uniform(-2, 3), u.uniform(20, 80) if bent else u.uniform(5, 20), -15)
    elif kind == "on the front" or not bent:
        d.leg(side, u.uniform(-2, 2), u.uniform(2, 22), u.uniform(0, 5), -28)
    else:
        rise = u.uniform(20, 50)
        d.leg(side, rise, u.uniform(2, 10), 2.05 * rise, 0)


def falling(u: Random, phase: float, variant: str | None = None) -> Pose:
    """From a stance (phase 0) through losing balance to the ground (phase 1)."""
    direction = variant or u.choice(DIRECTIONS)
    azimuth = u.choice([-90.0, 90.0]) if direction == "side" else 0.0
    start = Draft.standing(Random(u.randrange(1 << 30))).pose()
    middle = _losing_balance(Random(u.randrange(1 << 30)), direction, azimuth)
    end = _fallen(u.randrange(1 << 30), direction, azimuth)
    early = phase < 0.55
    out = mix(start, middle, ease(phase / 0.55)) if early else mix(middle, end, ((phase - 0.55) / 0.45) ** 1.6)
    return replace(out, variant=direction)


def _losing_balance(u: Random, direction: str, azimuth: float) -> Pose:
    d = Draft(u, pitch=(-12, 22), yaw=(-18, 18))
    lean = u.uniform(36, 52)
    d.azimuth, d.tilt = azimuth, lean if direction == "forward" else -lean
    back = direction == "backward"
    d.spine(u.uniform(10, 28) if back else u.uniform(-4, 14), u.uniform(-10, 10), u.uniform(-12, 12))
    d.leg(d.a, u.uniform(14, 40) * (1 if back else 1.1), u.uniform(2, 12), u.uniform(18, 55))
    d.leg(d.b, u.uniform(-12, 18), u.uniform(2, 12), u.uniform(8, 40))
    if direction == "slipping":  # the feet shoot forward
        d.leg(d.a, u.uniform(48, 80), u.uniform(2, 14), u.uniform(2, 25), -15)
        d.leg(d.b, u.uniform(20, 60), u.uniform(2, 14), u.uniform(5, 40), -15)
    for side in d.sides:
        d.arm(side, u.uniform(30, 95), u.uniform(35, 95), u.uniform(10, 55))
    return d.pose()


def _fallen(seed: int, direction: str, azimuth: float) -> Pose:
    kind = {"forward": "on the front", "side": "on the side"}.get(direction, "on the back")
    ground = _on_ground(Random(seed), kind, azimuth)
    draft = Draft.of(ground, Random(seed))
    draft.spin = 0.0 if direction == "side" else Random(seed).uniform(-8, 8)
    return draft.pose()


def collapsing(u: Random, phase: float, variant: str | None = None) -> Pose:
    """The legs give way: down on the knees with limp arms (phase 0.5), then to the front or a side."""
    direction = variant or u.choice(["forward", "side"])
    azimuth = u.choice([-90.0, 90.0]) if direction == "side" else 0.0
    start = Draft.standing(Random(u.randrange(1 << 30))).pose()
    middle = _giving_way(Random(u.randrange(1 << 30)), azimuth)
    end = _fallen(u.randrange(1 << 30), direction, azimuth)
    early = phase < 0.5
    out = mix(start, middle, ease(phase / 0.5)) if early else mix(middle, end, ((phase - 0.5) / 0.5) ** 1.6)
    return replace(out, variant=direction)


def _giving_way(u: Random, azimuth: float) -> Pose:
    d = Draft(u, pitch=(25, 45), yaw=(-30, 30))
    lean, bend = u.uniform(8, 26), u.uniform(24, 44)
    d.azimuth, d.tilt = azimuth, -lean if azimuth else lean
    d.spine(bend, u.uniform(-16, 16), u.uniform(-12, 12))
    for side in d.sides:
        d.leg(side, (0 if azimuth else lean) + u.uniform(0, 28), u.uniform(0, 12), u.uniform(92, 120), -30)
        d.arm(side, (0 if azimuth else lean) + 0.8 * bend + u.uniform(-12, 12), u.uniform(4, 18), u.uniform(5, 25))
    return d.pose()


def crawling(u: Random, phase: float, variant: str | None = None) -> Pose:
    """On hands and knees, or on the belly."""
    d = Draft(u, pitch=(-40, -10), yaw=(-20, 20))
    kind = variant or u.choice(["on hands and knees", "on hands and knees", "on the belly"])
    step = 14 * math.sin(2 * math.pi * phase)
    belly = kind == "on the belly"
    d.variant, d.tilt = kind, 86 if belly else u.uniform(68, 78)
    d.planted = 1.0 if belly else 0.0
    d.spine(-4 if belly else u.uniform(2, 14))
    for side, sign in ((d.a, 1), (d.b, -1)):
        if belly:
            d.leg(side, 4, 16 + sign * step, 10, -25)
            d.arm(side, 10, 130 + sign * step, 60 - sign * step)
        else:
            d.leg(side, d.tilt + 6 + sign * step, 3, 88 + sign * step * 0.4, -30)
            d.arm(side, 84 + sign * step, 6, u.uniform(2, 14))
    return d.pose()


def dragged(u: Random, phase: float, variant: str | None = None) -> Pose:
    """On the back with the arms stretched beyond the head, pulled by the wrists."""
    d = Draft.of(_on_ground(u, "on the back", 0.0), u)
    for side in d.sides:
        d.leg(side, u.uniform(-1, 2), u.uniform(2, 12), u.uniform(0, 6), -25)
        d.arm(side, u.uniform(10, 25), u.uniform(155, 168), u.uniform(2, 10))
    d.spin, d.azimuth = u.uniform(-6, 6), 0.0
    d.spine(3 * math.sin(6.3 * phase), 4 * math.sin(6.3 * phase))
    d.variant = variant or "by the wrists"
    return d.pose()


BUILDERS: dict[str, Callable[[Random, float, str | None], Pose]] = {
    f.__name__: f for f in (sitting, lying, falling, collapsing, crawling, dragged)
}

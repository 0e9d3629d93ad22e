"""Behaviors as motion: `pose(behavior, phase, seed)` gives the pose at one phase of one person's manner.

The seed is the manner (stride, side, variant); the phase runs from 0 to 1, cyclic for gaits and blows and
once from standing to the ground for falls. Knows no bodies, clothes or pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from benchmarks.rendered import ground_behavior as ground
from benchmarks.rendered import violent_behavior as violence
from benchmarks.rendered.draft import Draft
from benchmarks.rendered.pose import Pose, ease, mix

if TYPE_CHECKING:
    from collections.abc import Callable

NORMAL = (
    "standing",
    "walking",
    "running",
    "sitting",
    "crouching",
    "bending",
    "waving",
    "phoning",
    "carrying",
    "jumping",
    "cycling",
)
ANOMALIES = (
    "falling",
    "collapsing",
    "falling_off_bicycle",
    "lying",
    "crawling",
    "fighting",
    "pushing",
    "punching",
    "kicking",
    "climbing",
    "dragged",
    "hit_by_person",
    "hit_by_vehicle",
    "breaking_into_car",
)
BEHAVIORS = NORMAL + ANOMALIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """Where the other person of a behavior stands and what they do; the subject faces -y at the origin."""

    behavior: str
    x_m: float = 0.0
    y_m: float = -0.7
    yaw_degrees: float = 180.0
    extra: dict[str, float] = field(default_factory=dict)


def pose(behavior: str, phase: float, seed: int, variant: str | None = None) -> Pose:
    """The pose of a behavior or of a partner's role.

    Raises:
        KeyError: The behavior is not known; `BEHAVIORS` and `ROLES` list all.
    """
    if behavior in ground.BUILDERS:
        return ground.BUILDERS[behavior](Random(seed), phase, variant)
    return _BUILDERS[behavior](Random(seed), phase)


def partner(behavior: str, seed: int) -> Partner | None:
    """The other person that a behavior needs, if any."""
    u = Random(seed * 7 + 1)
    near = u.uniform(0.62, 0.8)
    makers: dict[str, Callable[[], Partner | None]] = {
        "fighting": lambda: _opponent(u, seed, near),
        "punching": lambda: Partner(behavior=u.choice(["guarding", "recoiling", "standing"]), y_m=-near),
        "hit_by_person": lambda: Partner(behavior=u.choice(["punching", "punching", "kicking"]), y_m=-near),
        "kicking": lambda: _kicked(u),
        "pushing": lambda: Partner(
            behavior=u.choice(["staggering", "recoiling", "staggering"]), y_m=-u.uniform(0.66, 0.8)
        ),
        "dragged": lambda: Partner(behavior="dragging", y_m=u.uniform(1.25, 1.4), yaw_degrees=0),
    }
    return makers.get(behavior, lambda: None)()


def _opponent(u: Random, seed: int, near: float) -> Partner:
    """In a fight both strike, or both grapple: who only takes blows is punched or kicked."""
    grapples = Random(seed).random() < violence.GRAPPLING_SHARE
    return Partner(
        behavior="grappling" if grapples else u.choice(["punching", "punching", "kicking"]),
        y_m=-(near - 0.12 if grapples else near),
        x_m=u.uniform(-0.1, 0.1),
    )


def _kicked(u: Random) -> Partner | None:
    if u.random() < 0.25:
        return None
    other = u.choice(["guarding", "recoiling", "lying", "lying"])
    return Partner(behavior=other, y_m=-u.uniform(0.75, 0.95), yaw_degrees=180 if other != "lying" else 90)


def standing(u: Random, phase: float) -> Pose:
    d = Draft(u)
    sway = math.sin(2 * math.pi * phase)
    d.spine(u.uniform(-3, 8) + sway, u.uniform(-4, 4), u.uniform(-10, 10))
    for side in d.sides:
        d.leg(side, u.uniform(-4, 5), u.uniform(0, 9), u.uniform(0, 6))
        d.arm(side, u.uniform(-8, 14) + 2 * sway, u.uniform(4, 12), u.uniform(5, 28))
    manner = u.random()
    if manner < 0.12:
        for side in d.sides:
            d.arm(side, u.uniform(20, 35), u.uniform(8, 15), u.uniform(70, 95), u.uniform(20, 50))
        d.variant = "arms folded"
    elif manner < 0.2:
        for side in d.sides:
            d.arm(side, -20, u.uniform(40, 50), u.uniform(80, 95), -60)
        d.variant = "hands on hips"
    return d.pose()


def walking(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(-2, 14), yaw=(-18, 18))
    _stride(d, phase, thigh=u.uniform(20, 29), knee=u.uniform(38, 55), lean=u.uniform(0, 6))
    _swing(d, phase, u.uniform(14, 28), elbow=u.uniform(10, 32))
    return d.pose()


def running(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(-4, 10), yaw=(-12, 12))
    _stride(d, phase, thigh=u.uniform(42, 56), knee=u.uniform(85, 112), lean=u.uniform(8, 18), ahead=16)
    _swing(d, phase, u.uniform(32, 50), elbow=u.uniform(78, 105))
    d.tilt = u.uniform(2, 8)
    d.lift_m = 0.09 * abs(math.cos(2 * math.pi * phase)) ** 2
    return d.pose()


def _stride(d: Draft, phase: float, *, thigh: float, knee: float, lean: float, ahead: float = 4) -> None:
    """Legs of one gait cycle: the knee bends while its leg travels forward."""
    for side, shift in (("L", 0.0), ("R", 0.5)):
        angle = 2 * math.pi * (phase + shift)
        flexion = ahead + thigh * math.sin(angle)
        bend = 5 + knee * max(0.0, math.cos(angle - 0.35)) ** 1.6
        d.leg(side, flexion, 1, bend, min(12, max(-25, bend - flexion)))
    d.spine(lean, 0, 6 * math.sin(2 * math.pi * phase))


def _swing(d: Draft, phase: float, reach: float, elbow: float) -> None:
    for side, shift in (("L", 0.5), ("R", 0.0)):
        flexion = reach * math.sin(2 * math.pi * (phase + shift))
        d.arm(side, flexion, 7, elbow + 0.35 * max(0.0, flexion))


def crouching(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(-20, 25))
    tilt = u.uniform(8, 24)
    if u.random() < 0.3:
        tilt = u.uniform(0, 15)
        d.leg(d.a, tilt + u.uniform(80, 92), 4, u.uniform(85, 100))
        d.leg(d.b, tilt - u.uniform(0, 8), 3, u.uniform(92, 105), -30)
        d.variant = "kneeling on one knee"
    else:
        for side in d.sides:
            d.leg(side, u.uniform(105, 122) + tilt - 12, u.uniform(5, 20), u.uniform(122, 142), u.uniform(20, 30))
    d.tilt = tilt
    d.spine(u.uniform(10, 32), 0, u.uniform(-8, 8))
    for side in d.sides:
        d.arm(side, u.uniform(35, 75) + 4 * math.sin(6.3 * phase), u.uniform(5, 20), u.uniform(10, 70))
    return d.pose()


def bending(u: Random, phase: float) -> Pose:
    d = Draft(u, yaw=(-20, 20))
    d.tilt = u.uniform(35, 58)
    d.spine(u.uniform(25, 45) + 3 * math.sin(6.3 * phase), u.uniform(-5, 5), u.uniform(-8, 8))
    for side in d.sides:
        d.leg(side, d.tilt + u.uniform(-6, 6), u.uniform(2, 8), u.uniform(0, 18))
        d.arm(side, u.uniform(50, 92), u.uniform(3, 12), u.uniform(0, 30))
    return d.pose()


def waving(u: Random, phase: float) -> Pose:
    d = Draft.standing(u)
    swing = 16 * math.sin(4 * math.pi * phase)
    sides = d.sides if u.random() < 0.4 else (d.a,)
    for side in sides:
        d.arm(side, u.uniform(0, 12), u.uniform(135, 160) + swing, u.uniform(5, 35))
    d.variant = "both arms" if len(sides) == 2 else "one arm"
    return d.pose()


def phoning(u: Random, phase: float) -> Pose:
    walks = u.random() < 0.35
    d = Draft.of(walking(u, phase), u) if walks else Draft.standing(u)
    d.arm(d.a, u.uniform(38, 52), u.uniform(14, 24), u.uniform(128, 142), u.uniform(-5, 10))
    d.neck(u.uniform(0, 12), (-1 if d.a == "L" else 1) * u.uniform(0, 10))
    d.variant = "walking" if walks else "standing"
    d.prop = f"phone.{d.a}"
    return d.pose()


def carrying(u: Random, phase: float) -> Pose:
    walks = u.random() < 0.6
    d = Draft.of(walking(u, phase), u) if walks else Draft.standing(u)
    for side in d.sides:
        d.arm(side, u.uniform(14, 24), u.uniform(2, 5), u.uniform(66, 78), u.uniform(5, 12))
    d.spine(-u.uniform(0, 6))
    d.variant = "walking" if walks else "standing"
    d.prop = "box"
    return d.pose()


def jumping(u: Random, phase: float) -> Pose:
    d = Draft(u)
    tucked, up = u.random() < 0.45, max(0.0, math.sin(math.pi * phase))
    for side in d.sides:
        d.arm(side, u.uniform(0, 50), u.uniform(70, 155), u.uniform(5, 40))
        if tucked:
            d.leg(side, u.uniform(40, 75), u.uniform(2, 14), u.uniform(65, 110), -25)
        else:
            d.leg(side, u.uniform(-12, 14), u.uniform(5, 22), u.uniform(5, 45), -35)
    d.spine(u.uniform(-6, 12))
    d.lift_m = u.uniform(0.3, 0.5) * up
    d.variant = "tucked" if tucked else "stretched"
    return mix(Draft.standing(Random(1)).pose(), d.pose(), ease(1.6 * up))


def cycling(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(-25, -5), yaw=(-20, 20))
    lean = u.uniform(22, 38)
    d.tilt, d.prop, d.planted = lean * 0.6, "bicycle", 1.0
    d.spine(lean * 0.7)
    for side, shift in (("L", 0.0), ("R", 0.5)):
        angle = 2 * math.pi * (phase + shift)
        d.leg(side, d.tilt + 40 + 26 * math.cos(angle), 0, 62 + 34 * math.cos(angle + 0.5), -8)
        d.arm(side, lean + u.uniform(38, 44), 8, u.uniform(8, 22))
    d.lift_m = 0.86
    return d.pose()


def falling_off_bicycle(u: Random, phase: float) -> Pose:
    """From riding (phase 0) sideways to the ground (phase 1), the bicycle falling too."""
    riding = cycling(Random(u.randrange(1 << 30)), u.random())
    fallen = ground.falling(Random(u.randrange(1 << 30)), 1.0, "side")
    share = ease(phase)
    out = mix(replace(riding, tilt=0.0, spine=(riding.spine[0] + riding.tilt, *riding.spine[1:])), fallen, share)
    return replace(out, prop="bicycle_down", variant="off a bicycle")


def climbing(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(-30, -5), yaw=(-20, 20))
    d.tilt = u.uniform(2, 12)
    d.spine(u.uniform(2, 12), u.uniform(-8, 8))
    swing = 18 * math.sin(2 * math.pi * phase)
    for side, sign in ((d.a, 1), (d.b, -1)):
        d.leg(side, u.uniform(38, 62) + sign * (18 + swing), u.uniform(8, 18), u.uniform(70, 92) + sign * swing, 0)
        d.arm(side, u.uniform(128, 150) - sign * swing * 0.6, u.uniform(8, 18), u.uniform(25, 60))
    d.lift_m = u.uniform(0.25, 0.65) + 0.15 * phase
    d.prop = "fence"
    return d.pose()


def hit_by_vehicle(u: Random, phase: float) -> Pose:
    seed = u.randrange(1 << 30)
    thrown = ground.falling(Random(seed), 0.35 + 0.3 * phase, u.choice(["forward", "backward", "side"]))
    d = Draft.of(thrown, u)
    d.lift_m, d.prop = u.uniform(0.12, 0.4), "car_front"
    return d.pose()


def breaking_into_car(u: Random, phase: float) -> Pose:
    d = Draft(u, pitch=(5, 30), yaw=(-25, 25))
    d.tilt = u.uniform(8, 24)
    d.spine(u.uniform(12, 30))
    for side in d.sides:
        d.leg(side, d.tilt + u.uniform(-4, 16), 4, u.uniform(4, 28))
    raised = u.random() < 0.5
    reach = 20 * math.sin(2 * math.pi * phase)
    d.arm(d.a, (u.uniform(105, 125) if raised else u.uniform(62, 80)) + reach, 8, u.uniform(20, 60))
    d.arm(d.b, u.uniform(50, 75), 8, u.uniform(15, 45))
    d.variant = "striking the window" if raised else "at the door"
    d.prop = "car_side"
    return d.pose()


_BUILDERS: dict[str, Callable[[Random, float], Pose]] = violence.BUILDERS | {
    f.__name__: f
    for f in (
        *(standing, walking, running, crouching, bending, waving, phoning, carrying, jumping, cycling),
        *(falling_off_bicycle, climbing, hit_by_vehicle, breaking_into_car),
    )
}
ROLES = ("grappling", "guarding", "recoiling", "staggering", "dragging")

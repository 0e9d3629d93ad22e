"""Short motions of one person: what they do, one stage after another, with the label of every instant."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.pocket.sequence.manners import loosen
from benchmarks.rendered.behavior import pose
from benchmarks.rendered.pose import Pose, ease, mix

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

STRIDE_M = {"walking": 1.45, "running": 2.4, "crawling": 0.7, "carrying": 1.3, "phoning": 1.35}
RATE_HZ = {"waving": 0.7, "fighting": 1.0, "punching": 1.0, "kicking": 0.8, "pushing": 0.9, "climbing": 0.45}
SPEED = {"walking": (0.9, 1.7), "running": (2.4, 4.5), "crawling": (0.3, 0.7), "carrying": (0.9, 1.4)}
SPEED |= {"phoning": (0.8, 1.4)}
GROUND = ("stretched", "drawn up", "crossed")  # ways of sitting on the ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One behavior for some seconds, reached from the one before within `change_seconds`."""

    behavior: str
    seconds: float
    change_seconds: float = 0.45
    change: str = ""  # what the way there is called, if it has a name
    speed: float = 0.0  # meters a second, straight on
    seed: int = 0
    variant: str | None = None
    lift_m: float = 0.0

    def pose(self, since: float) -> Pose:
        """The pose some seconds after its beginning."""
        if self.behavior in ("falling", "collapsing"):  # the whole way is the behavior
            phase = min(1.0, since / self.change_seconds)
        elif self.speed:
            phase = since * self.speed / STRIDE_M[self.behavior]
        else:
            phase = since * RATE_HZ.get(self.behavior, 0.25)
        out = pose(self.behavior, phase, self.seed, self.variant)
        down = {"lying": 1.0, "falling": phase, "collapsing": phase}.get(self.behavior, 0.0)
        out = loosen(out, self.seed, down)
        return replace(out, lift_m=out.lift_m + self.lift_m) if self.lift_m else out


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One person at one time."""

    pose: Pose
    along_m: float  # how far they have come, straight on
    behavior: str  # while one stage turns into the next: the later one from the middle on
    change: str  # "fall", "rise", "sit" or "" (nothing of these)


def at(stages: list[Stage], seconds: float) -> Instant:
    """The instant at some seconds from the beginning; the last stage goes on."""
    begins, along = 0.0, 0.0
    for number, stage in enumerate(stages):
        since = seconds - begins
        if since < stage.seconds or number == len(stages) - 1:
            return _instant(stages, number, since, along + stage.speed * since)
        begins, along = begins + stage.seconds, along + stage.speed * stage.seconds
    raise ValueError("a motion has at least one stage")


def _instant(stages: list[Stage], number: int, since: float, along: float) -> Instant:
    stage = stages[number]
    now, behavior = stage.pose(since), stage.behavior
    changes = number > 0 and since < stage.change_seconds
    if stage.behavior in ("falling", "collapsing"):
        blend = min(1.0, since / min(0.35, stage.change_seconds))
        if number and blend < 1:
            now = mix(stages[number - 1].pose(stages[number - 1].seconds), now, ease(blend))
        return Instant(
            pose=now, along_m=along, behavior="falling" if changes else "lying", change="fall" if changes else ""
        )
    if changes:
        share = ease(since / stage.change_seconds)
        before = stages[number - 1]
        now = mix(before.pose(before.seconds), now, share)
        behavior = stage.behavior if share > 0.5 else _name(before)
        if stage.change == "fall":
            behavior = "falling"
    return Instant(pose=now, along_m=along, behavior=behavior, change=stage.change if changes else "")


def _name(stage: Stage) -> str:
    return "lying" if stage.behavior in ("falling", "collapsing") else stage.behavior


def _stage(u: Random, behavior: str, low: float = 1.0, high: float = 4.0, **more: object) -> Stage:
    speed = u.uniform(*SPEED[behavior]) if behavior in SPEED else 0.0
    made = Stage(behavior=behavior, seconds=u.uniform(low, high), speed=speed, seed=u.randrange(1 << 30))
    return replace(made, **more)  # type: ignore[arg-type] - the callers name fields of Stage


def _before(u: Random) -> Stage:
    return _stage(u, u.choices(["standing", "walking", "running", "carrying"], [4, 5, 1, 1])[0], 0.5, 3.0)


def falls(u: Random) -> list[Stage]:
    """Somebody falls, lies, and sometimes gets up."""
    by = u.choices(["falling", "collapsing"], [3, 1])[0]
    seconds = u.uniform(0.55, 1.2) if by == "falling" else u.uniform(0.9, 1.7)
    variant = u.choice(["backward", "forward", "side", "slipping"] if by == "falling" else ["forward", "side"])
    fall = _stage(u, by, 2.5, 6.0, change_seconds=seconds, change="fall", variant=variant)
    stages = [_before(u), fall]
    if u.random() < 0.25:
        stages = [_before(u), _seat(u), fall] if u.random() < 0.5 else [_seat(u), fall]
    return stages + _rises(u) * (u.random() < 0.35)


def tumbles(u: Random) -> list[Stage]:
    """Somebody on a chair, crouching or bending falls over to the ground."""
    from_pose = _seat(u) if u.random() < 0.6 else _stage(u, u.choice(["crouching", "bending"]), 0.7, 2.0)
    lying = _stage(u, "lying", 2.5, 6.0, change_seconds=u.uniform(0.5, 1.1), change="fall")
    return [from_pose, lying] + _rises(u) * (u.random() < 0.3)


def sinks(u: Random) -> list[Stage]:
    """Somebody goes down over the knees or the seat and on to the ground, all within two seconds."""
    low = _stage(u, u.choice(["crouching", "sitting", "crawling", "bending"]), 0.4, 0.9)
    low = replace(low, change_seconds=u.uniform(0.35, 0.8), change="fall", speed=0.0)
    if low.behavior == "sitting":
        low = replace(low, variant=u.choice(GROUND))
    lying = _stage(u, "lying", 2.5, 6.0, change_seconds=u.uniform(0.4, 0.9), change="fall")
    return [_before(u), low, lying] + _rises(u) * (u.random() < 0.3)


def lies_down(u: Random) -> list[Stage]:
    """Somebody lies down slowly, on the ground or a bed."""
    lift = u.choice([0.0, 0.0, 0.45])
    seat = replace(
        _stage(u, "sitting", 1.0, 2.5, change_seconds=u.uniform(0.9, 1.8), change="sit"),
        variant=u.choice(GROUND) if lift == 0 else "bench",
    )
    lying = _stage(u, "lying", 2.5, 6.0, change_seconds=u.uniform(1.4, 3.0), lift_m=lift)
    return [*([_before(u)] * (u.random() < 0.6)), seat, lying] + _rises(u) * (u.random() < 0.3)


def lies(u: Random) -> list[Stage]:
    """Somebody lies all the time, and sometimes gets up."""
    lying = _stage(u, "lying", 3.0, 6.0, lift_m=u.choice([0.0, 0.0, 0.0, 0.45]))
    return [lying] + _rises(u) * (u.random() < 0.3)


def _seat(u: Random) -> Stage:
    seat = _stage(u, "sitting", 1.5, 4.0, change_seconds=u.uniform(0.7, 1.6), change="sit")
    return replace(seat, variant=u.choice(["bench", "bench", "bench", *GROUND]))


def _rises(u: Random) -> list[Stage]:
    way = [_stage(u, "sitting", 0.6, 1.5, change_seconds=u.uniform(0.8, 1.6), change="rise", variant="drawn up")]
    up = _stage(u, u.choice(["standing", "walking"]), 1.5, 4.0, change_seconds=u.uniform(0.8, 1.8), change="rise")
    return way * (u.random() < 0.5) + [up]


def sits(u: Random) -> list[Stage]:
    """Somebody sits down, sits, or gets up from a seat."""
    stages = [_before(u)] * (u.random() < 0.6) + [_seat(u)]
    up = _stage(u, u.choice(["standing", "walking"]), 1.0, 3.0, change_seconds=u.uniform(0.7, 1.5), change="rise")
    return stages + [up] * (u.random() < 0.5)


def goes_low(u: Random) -> list[Stage]:
    """Somebody crouches or bends, fast or slowly, and mostly comes up again; or crawls."""
    low = _stage(u, u.choices(["crouching", "bending", "crawling"], [5, 5, 2])[0], 0.7, 3.5)
    low = replace(low, change_seconds=u.uniform(0.35, 1.2))
    up = _stage(u, u.choice(["standing", "walking"]), 0.7, 2.5, change_seconds=u.uniform(0.4, 1.2), change="rise")
    more = [low, up] if u.random() < 0.75 else [low]
    return [_before(u)] * (u.random() < 0.75) + more * u.choice([1, 1, 2])


def stays_up(u: Random) -> list[Stage]:
    """Somebody stands, walks, runs, waves, phones or carries, one after another."""
    kinds = ["standing", "walking", "running", "waving", "phoning", "carrying", "jumping", "climbing"]
    weights = [4, 5, 3, 3, 1, 1, 1, 1]
    return [_stage(u, kind, 1.5, 4.0) for kind in u.choices(kinds, weights, k=u.choice([1, 2, 3]))]


def fights(u: Random) -> list[Stage]:
    """One side of a fight, from its beginning or within it."""
    blow = _stage(u, u.choice(["fighting", "punching", "kicking", "pushing"]), 2.5, 6.0)
    return [_before(u)] * (u.random() < 0.4) + [blow]


MOTIONS: tuple[tuple[Callable[[Random], list[Stage]], float], ...] = (
    (falls, 3.0),
    (tumbles, 1.2),
    (sinks, 1.5),
    (lies_down, 1.5),
    (lies, 1.5),
    (sits, 2.5),
    (goes_low, 3.0),
    (stays_up, 4.0),
    (fights, 1.2),
)


def draw_motion(u: Random) -> list[Stage]:
    """One motion at random."""
    return u.choices([make for make, _ in MOTIONS], [weight for _, weight in MOTIONS])[0](u)


def length_seconds(stages: list[Stage]) -> float:
    """How long a motion lasts."""
    return math.fsum(stage.seconds for stage in stages)

"""Storylines: somebody walks in, does something alone or with another, and walks out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from benchmarks.rendered.motion import ONCE, RISE_SECONDS, Point, Segment, heading, state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EDGE_M = 8.2
NEAR_M, FAR_M = -2.4, 2.6
FENCE_Y_M = 4.6
CAR_Y_M = 5.6


class Path:
    """Segments of one person, put one after the other."""

    def __init__(self, u: Random, start: float, at: Point) -> None:
        self._u, self.now, self.at, self.yaw = u, start, at, 0.0
        self.segments: list[Segment] = []

    def go(self, target: Point, speed: float = 1.3, behavior: str = "walking") -> Path:
        """Move straight to a place."""
        self.yaw = heading(self.at, target)
        return self._add(behavior, math.dist(self.at, target) / speed, target)

    def act(
        self, behavior: str, seconds: float, yaw: float | None = None, *, variant: str | None = None, shift: float = 0.0
    ) -> Path:
        """Do something at this place."""
        self.yaw = self.yaw if yaw is None else yaw
        return self._add(behavior, seconds, self.at, variant, shift)

    def fall(self, direction: str, lying_seconds: float, *, rises: bool = False, by: str = "falling") -> Path:
        """Fall (or collapse, or fall off a bicycle), lie, and perhaps get up."""
        seed = self._u.randrange(1 << 30)
        steps = [(by, ONCE[by]), ("lying", lying_seconds)] + [("rising", RISE_SECONDS)] * rises
        for behavior, seconds in steps:
            self._add(behavior, seconds, self.at, direction)
            self.segments[-1] = replace(self.segments[-1], seed=seed, came_by=by)
        return self

    def climb(self, seconds: float) -> Path:
        """Climb what is right in front, drawing the body up."""
        self._add("climbing", seconds, self.at)
        self.segments[-1] = replace(self.segments[-1], lift_m=(0.05, 0.75))
        return self

    def _add(
        self, behavior: str, seconds: float, target: Point, variant: str | None = None, shift: float = 0.0
    ) -> Path:
        self.segments.append(
            Segment(
                behavior=behavior,
                start=self.now,
                end=self.now + seconds,
                origin=self.at,
                target=target,
                yaw=self.yaw,
                seed=self._u.randrange(1 << 30),
                variant=variant,
                phase_shift=shift,
            )
        )
        self.now, self.at = self.now + seconds, target
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The paths of the persons of one storyline."""

    paths: tuple[tuple[Segment, ...], ...]


def _spot(u: Random) -> Point:
    return u.uniform(-2.8, 2.8), u.uniform(NEAR_M, FAR_M)


def _outside(u: Random, y: float, side: int | None = None) -> Point:
    return (side or u.choice([-1, 1])) * EDGE_M, min(FAR_M, max(NEAR_M, y + u.uniform(-1, 1)))


def passing(u: Random, start: float) -> Story:
    y, side = u.uniform(NEAR_M, FAR_M), u.choice([-1, 1])
    behavior = u.choices(["walking", "phoning", "carrying", "running"], [6, 1, 1, 1])[0]
    speed = {"running": 3.2}.get(behavior, u.uniform(1.1, 1.5))
    path = Path(u, start, (side * EDGE_M, y)).go((-side * EDGE_M, y + u.uniform(-0.6, 0.6)), speed, behavior)
    return Story(paths=(tuple(path.segments),))


def pausing(u: Random, start: float) -> Story:
    spot = _spot(u)
    path = Path(u, start, _outside(u, spot[1])).go(spot, u.uniform(1.1, 1.5))
    behavior = u.choice(["standing", "waving", "phoning", "bending", "crouching", "standing"])
    path.act(behavior, u.uniform(4, 8), u.uniform(-60, 60))
    return Story(paths=(tuple(path.go(_outside(u, spot[1])).segments),))


def falling(u: Random, start: float) -> Story:
    spot, speed = _spot(u), u.uniform(1.1, 1.4)
    outside = _outside(u, spot[1])
    path = Path(u, start - math.dist(outside, spot) / speed, outside).go(spot, speed)
    rises = u.random() < 0.5
    path.fall(u.choice(["forward", "backward", "side"]), u.uniform(6, 9) if rises else 60, rises=rises)
    if rises:
        path.go(_outside(u, spot[1]), 0.9)
    return Story(paths=(tuple(path.segments),))


def lying(u: Random, start: float) -> Story:
    path = Path(u, min(-2.0, start), _spot(u))
    path.act("lying", 90, u.uniform(0, 360))
    return Story(paths=(tuple(path.segments),))


def fighting(u: Random, start: float) -> Story:
    a, b, spot = _meeting(u, start)
    seconds = u.uniform(5, 7.5)
    a.act("fighting", seconds, shift=0.0)
    b.act("fighting", seconds, shift=0.5)
    for path, side in ((a, -1), (b, 1)):
        path.go(_outside(u, spot[1], side), u.uniform(1.5, 2.0))
    return Story(paths=(tuple(a.segments), tuple(b.segments)))


def pushing(u: Random, start: float) -> Story:
    a, b, spot = _meeting(u, start)
    a.act("standing", 1.5).act("pushing", 0.9).act("standing", 2.0).go(_outside(u, spot[1], -1))
    b.act("standing", 1.5 + 0.35).fall("backward", u.uniform(5, 8), rises=True)
    b.go(_outside(u, spot[1], 1), 0.9)
    return Story(paths=(tuple(a.segments), tuple(b.segments)))


def kicking(u: Random, start: float) -> Story:
    a, b, spot = _meeting(u, start)
    seconds = u.uniform(4, 6)
    a.act("standing", 1.2).act("kicking", seconds).go(_outside(u, spot[1], -1), 1.8)
    b.act("standing", 1.2).act("recoiling", seconds, shift=0.5).act("crouching", 4).go(_outside(u, spot[1], 1), 1.0)
    return Story(paths=(tuple(a.segments), tuple(b.segments)))


def punching(u: Random, start: float) -> Story:
    a, b, spot = _meeting(u, start)
    seconds = u.uniform(4, 6)
    a.act("standing", 1.0).act("punching", seconds).go(_outside(u, spot[1], -1), 2.0, "running")
    b.act("standing", 1.0).act("hit_by_person", seconds).act("bending", 3).go(_outside(u, spot[1], 1), 1.0)
    return Story(paths=(tuple(a.segments), tuple(b.segments)))


def collapsing(u: Random, start: float) -> Story:
    spot, speed = _spot(u), u.uniform(0.8, 1.1)
    outside = _outside(u, spot[1])
    path = Path(u, start - math.dist(outside, spot) / speed - 2, outside).go(spot, speed).act("standing", 2)
    return Story(paths=(tuple(path.fall(u.choice(["forward", "side"]), 60, by="collapsing").segments),))


def falling_off_bicycle(u: Random, start: float) -> Story:
    spot, speed = _spot(u), u.uniform(2.6, 3.6)
    outside = _outside(u, spot[1])
    path = Path(u, start - math.dist(outside, spot) / speed, outside).go(spot, speed, "cycling")
    return Story(paths=(tuple(path.fall("side", 60, by="falling_off_bicycle").segments),))


def crawling(u: Random, start: float) -> Story:
    x, y = _spot(u)
    path = Path(u, min(-1.0, start), (x, y)).act("lying", 3 + max(0.0, start), u.uniform(0, 360))
    path.go((x + u.choice([-2.5, 2.5]), y), 0.45, "crawling").act("sitting", 60, variant="drawn up")
    return Story(paths=(tuple(path.segments),))


def breaking_into_car(u: Random, start: float) -> Story:
    x = u.choice([-5.2, 0.4, 5.6]) + u.uniform(-0.4, 0.2)
    door, outside = (x, CAR_Y_M - 1.35), _outside(u, 2.0)
    path = Path(u, start - math.dist(outside, door) / 1.2, outside).go(door, 1.2)
    path.act("breaking_into_car", u.uniform(7, 10), 180).go(_outside(u, 2.0), 2.4, "running")
    return Story(paths=(tuple(path.segments),))


def climbing(u: Random, start: float) -> Story:
    x = u.uniform(-2.5, 2.5)
    near, beyond = (x, FENCE_Y_M - 0.3), (x, FENCE_Y_M + 0.5)
    outside, before = _outside(u, 2.0), (x, FENCE_Y_M - 1.2)
    path = Path(u, start - math.dist(outside, before) / 1.3 - 0.9, outside).go(before).go(near, 1.0)
    path.climb(u.uniform(4, 5.5))
    path.at = beyond
    path.act("crouching", 0.9).go((u.choice([-1, 1]) * (EDGE_M + 3), FENCE_Y_M + 1.5), 1.7)
    return Story(paths=(tuple(path.segments),))


def _meeting(u: Random, start: float) -> tuple[Path, Path, Point]:
    """Two who come from the left and the right and stop face to face."""
    spot, speed, gap = _spot(u), u.uniform(1.15, 1.4), u.uniform(0.68, 0.8)
    paths = []
    for side in (-1, 1):
        place = (spot[0] + side * gap / 2, spot[1])
        late = (EDGE_M - side * place[0]) / speed
        paths.append(Path(u, start - late, (side * EDGE_M, spot[1])).go(place, speed))
    return paths[0], paths[1], spot


NORMAL_STORIES: tuple[Callable[[Random, float], Story], ...] = (passing, passing, pausing)
ANOMALY_STORIES: dict[str, Callable[[Random, float], Story]] = {
    f.__name__: f
    for f in (
        *(falling, lying, fighting, pushing, kicking, climbing, punching, collapsing, falling_off_bicycle, crawling),
        breaking_into_car,
    )
}


def apart(story: Story, others: Sequence[Story], seconds: float, least_m: float = 0.8) -> bool:
    """Whether nobody of a story comes too near to somebody of another."""
    for step in range(int(seconds * 3)):
        mine = [s for p in story.paths if (s := state(p, step / 3)) is not None]
        theirs = [s for o in others for p in o.paths if (s := state(p, step / 3)) is not None]
        reach = {"lying": 1.1, "falling": 1.1}
        for a in mine:
            for b in theirs:
                near = max(least_m, reach.get(a.behavior, 0), reach.get(b.behavior, 0))
                if math.dist((a.x, a.y), (b.x, b.y)) < near:
                    return False
    return True


def write_script(u: Random, kinds: Sequence[str], normal: int, seconds: float) -> list[Story]:
    """Anomalies spread over the video, and calm persons around them."""
    out: list[Story] = []
    for index, kind in enumerate(kinds):
        start = seconds * (index + 0.4) / len(kinds) * 0.8
        first = ANOMALY_STORIES[kind](u, start)
        out.append(first if apart(first, out, seconds) else _retried(u, ANOMALY_STORIES[kind], out, seconds, start))
    for index in range(normal):
        start = seconds * (index - 0.4) / normal * 0.95
        out.append(_retried(u, u.choice(NORMAL_STORIES), out, seconds, start))
    return out


def _retried(
    u: Random, make: Callable[[Random, float], Story], others: Sequence[Story], seconds: float, start: float
) -> Story:
    story = make(u, start)
    for _ in range(60):
        if apart(story, others, seconds):
            return story
        story = make(u, start + u.uniform(-1.5, 2.5))
    return story

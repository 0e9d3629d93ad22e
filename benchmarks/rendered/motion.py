"""One person's path through a video: walks, acts and changes between them, as a pose and place at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.rendered.behavior import pose
from benchmarks.rendered.pose import Pose, ease, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANGE_SECONDS = 0.45
FALL_SECONDS = 0.85
RISE_SECONDS = 2.2
STRIDE_M = {"walking": 1.45, "running": 2.4, "phoning": 1.35, "carrying": 1.3, "cycling": 4.6, "crawling": 0.7}
RATE_HZ = {"fighting": 1.1, "punching": 1.0, "kicking": 0.8, "pushing": 1.0, "waving": 0.7, "climbing": 0.45}
ONCE = {"falling": FALL_SECONDS, "rising": RISE_SECONDS, "pushing": 0.9, "jumping": 0.8}
ONCE |= {"collapsing": 1.4, "falling_off_bicycle": 0.9}
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One behavior from `start` to `end` seconds along a straight line (or at one place)."""

    behavior: str
    start: float
    end: float
    origin: Point
    target: Point
    yaw: float
    seed: int
    variant: str | None = None
    phase_shift: float = 0.0
    lift_m: tuple[float, float] = (0.0, 0.0)
    recorded: bool = True
    came_by: str = "falling"  # how somebody who lies came to lie

    def at(self, seconds: float) -> Point:
        """The place at a time."""
        share = min(1.0, max(0.0, (seconds - self.start) / max(1e-6, self.end - self.start)))
        (x0, y0), (x1, y1) = self.origin, self.target
        return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share

    def pose(self, seconds: float) -> Pose:
        """The pose at a time, before blending with the segment before."""
        since = seconds - self.start
        if self.behavior == "lying" and self.variant is not None:
            return pose(self.came_by, 1.0, self.seed, self.variant)
        if self.behavior in ("falling", "rising"):
            share = min(1.0, since / ONCE[self.behavior])
            phase = share if self.behavior == "falling" else 1 - ease(share)
            return pose("falling", phase, self.seed, self.variant)
        out = pose(self.behavior, self._phase(since, seconds), self.seed, self.variant)
        share = min(1.0, since / max(1e-6, self.end - self.start))
        low, high = self.lift_m
        return replace(out, lift_m=low + (high - low) * share) if self.behavior == "climbing" else out

    def _phase(self, since: float, seconds: float) -> float:
        length = math.dist(self.origin, self.target)
        if length > 0.05:
            x, y = self.at(seconds)
            return math.dist(self.origin, (x, y)) / STRIDE_M.get(self.behavior, 1.45)
        if self.behavior in ONCE:
            return min(1.0, since / ONCE[self.behavior])
        return since * RATE_HZ.get(self.behavior, 0.25) + self.phase_shift


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where and how somebody is at one instant."""

    pose: Pose
    x: float
    y: float
    yaw: float
    behavior: str


def state(segments: Sequence[Segment], seconds: float) -> State | None:
    """The state at a time; None before the first and after the last segment."""
    for index, segment in enumerate(segments):
        if segment.start <= seconds < segment.end:
            return _state(segments, index, seconds)
    return None


def _state(segments: Sequence[Segment], index: int, seconds: float) -> State:
    segment = segments[index]
    (x, y), now, yaw = segment.at(seconds), segment.pose(seconds), segment.yaw
    since = seconds - segment.start
    continues = segment.behavior in ("lying", "rising")
    if index and since < CHANGE_SECONDS and not continues:
        before = segments[index - 1]
        share = ease(since / CHANGE_SECONDS)
        now = mix(before.pose(before.end - 1e-3), now, share)
        yaw = before.yaw + ((yaw - before.yaw + 180) % 360 - 180) * share
    return State(pose=now, x=x, y=y, yaw=yaw, behavior=segment.behavior)


def heading(origin: Point, target: Point) -> float:
    """The yaw that faces from one place to another; 0 faces -y."""
    return math.degrees(math.atan2(target[0] - origin[0], -(target[1] - origin[1])))

"""A pose while it is being drawn up: hanging arms and straight legs until said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rendered.pose import Pose

if TYPE_CHECKING:
    from random import Random


class Draft:
    """Mutable; `a` and `b` are the two sides in a random order, so that manners come left- and right-handed."""

    def __init__(
        self, u: Random, *, pitch: tuple[float, float] = (-8, 18), yaw: tuple[float, float] = (-35, 35)
    ) -> None:
        self.a, self.b = u.sample(["L", "R"], 2)
        self.sides = (self.a, self.b)
        self._legs: dict[str, tuple[float, ...]] = dict.fromkeys("LR", (0.0, 3.0, 3.0, 0.0, 0.0))
        self._arms: dict[str, tuple[float, ...]] = dict.fromkeys("LR", (2.0, 8.0, 12.0, 0.0))
        self._spine: tuple[float, ...] = (2.0, 0.0, 0.0)
        self._neck: tuple[float, ...] = (u.uniform(*pitch), u.uniform(*yaw))
        self.azimuth = self.tilt = self.spin = self.lift_m = self.planted = 0.0
        self.variant = self.prop = ""

    @classmethod
    def standing(cls, u: Random) -> Draft:
        """An ordinary stance to change a part of."""
        draft = cls(u)
        draft.spine(u.uniform(-2, 6), u.uniform(-3, 3), u.uniform(-8, 8))
        for side in draft.sides:
            draft.leg(side, u.uniform(-4, 5), u.uniform(0, 8), u.uniform(0, 6))
            draft.arm(side, u.uniform(-6, 10), u.uniform(4, 10), u.uniform(5, 22))
        return draft

    @classmethod
    def of(cls, pose: Pose, u: Random) -> Draft:
        """A finished pose to change a part of."""
        draft = cls(u)
        draft._legs = dict(zip("LR", pose.leg, strict=True))
        draft._arms = dict(zip("LR", pose.arm, strict=True))
        draft._spine, draft._neck = pose.spine, pose.neck
        draft.azimuth, draft.tilt, draft.spin = pose.azimuth, pose.tilt, pose.spin
        draft.lift_m, draft.planted = pose.lift_m, pose.planted
        draft.variant, draft.prop = pose.variant, pose.prop
        return draft

    def leg(
        self, side: str, flexion: float, abduction: float = 2, knee: float = 0, ankle: float = 0, *, turn: float = 0
    ) -> None:
        """Set one leg in degrees."""
        self._legs[side] = (flexion, abduction, knee, ankle, turn)

    def arm(self, side: str, flexion: float, abduction: float = 8, elbow: float = 10, turn: float = 0) -> None:
        """Set one arm in degrees."""
        self._arms[side] = (flexion, abduction, elbow, turn)

    def spine(self, bend: float, side: float = 0, twist: float = 0) -> None:
        """Set the trunk in degrees, shared by its five bones."""
        self._spine = (bend, side, twist)

    def neck(self, pitch: float, yaw: float = 0) -> None:
        """Set neck and head in degrees."""
        self._neck = (pitch, yaw)

    def pose(self) -> Pose:
        """The finished pose."""
        return Pose(
            leg=(self._legs["L"], self._legs["R"]),
            arm=(self._arms["L"], self._arms["R"]),
            spine=self._spine,
            neck=self._neck,
            azimuth=self.azimuth,
            tilt=self.tilt,
            spin=self.spin,
            lift_m=self.lift_m,
            planted=self.planted,
            variant=self.variant,
            prop=self.prop,
        )

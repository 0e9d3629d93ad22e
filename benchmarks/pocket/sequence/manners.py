"""What makes no two people alike: limbs held otherwise, and people on the ground who are not quite flat."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.rendered.pose import Pose

LEG, ARM, SPINE = (8.0, 5.0, 10.0, 0.0, 6.0), (18.0, 14.0, 18.0, 8.0), (7.0, 6.0, 8.0)  # standard deviations, degrees
TILT = 4.0
PROPPED_SHARE, PROPPED = 0.35, (8.0, 40.0)  # of those on the ground, whose trunk is raised by so many degrees
DRAWN_SHARE, DRAWN = 0.3, (15.0, 60.0)  # whose legs are drawn up


def loosen(pose: Pose, seed: int, down: float = 0.0) -> Pose:
    """Changes a pose's angles by offsets that depend on the seed alone.

    Args:
        pose: The pose as it is told.
        seed: Of one stage of a motion, so that its offsets stay the same throughout.
        down: How far somebody has come to lie on the ground, 0 to 1.
    """
    u = Random(seed ^ 0x5EED)
    loose = u.random() ** 0.5
    raised = u.uniform(*PROPPED) if u.random() < PROPPED_SHARE else 0.0
    drawn = [u.uniform(*DRAWN) if u.random() < DRAWN_SHARE else 0.0 for _ in range(2)]
    legs = tuple(_bent(_shifted(leg, LEG, loose, u), down * bend) for leg, bend in zip(pose.leg, drawn, strict=True))
    arms = tuple(_bent(_shifted(arm, ARM, loose, u), 0.0) for arm in pose.arm)
    tilt = pose.tilt + u.gauss(0, TILT) * loose
    if abs(tilt) > 45:
        tilt -= (1 if tilt > 0 else -1) * down * raised
    spine = _shifted(pose.spine, SPINE, loose, u)
    return replace(pose, leg=(legs[0], legs[1]), arm=(arms[0], arms[1]), tilt=tilt, spine=spine)


def _shifted(angles: tuple[float, ...], by: tuple[float, ...], loose: float, u: Random) -> tuple[float, ...]:
    return tuple(angle + u.gauss(0, deviation) * loose for angle, deviation in zip(angles, by, strict=True))


def _bent(limb: tuple[float, ...], drawn: float) -> tuple[float, ...]:
    """A limb bent further; knees and elbows do not bend the wrong way."""
    flexion, abduction, joint, *rest = limb
    return (flexion + drawn, abduction, max(0.0, joint + 1.8 * drawn), *rest)

"""Joint angles of one instant, and the rotations they mean.

A pose is plain numbers, so poses can be blended for motion. Angles are in degrees; flexion moves a limb
forward, abduction away from the body. The root first spins about the vertical, then tilts toward an azimuth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered.body import BONE_INDEX, BONES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REST_ABDUCTION_LEG = 6.0
REST_ABDUCTION_ARM = 40.0
REST_ELBOW = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Angles of one instant.

    `planted` blends how the body meets the ground: 0 by its lowest point, 1 by the trunk's lowest point.
    """

    leg: tuple[tuple[float, ...], tuple[float, ...]]  # left, right: flexion, abduction, knee, ankle, turn
    arm: tuple[tuple[float, ...], tuple[float, ...]]  # left, right: flexion, abduction, elbow, turn
    spine: tuple[float, ...] = (2.0, 0.0, 0.0)  # bend, side, twist
    neck: tuple[float, ...] = (0.0, 0.0)  # pitch, yaw
    azimuth: float = 0.0
    tilt: float = 0.0
    spin: float = 0.0
    lift_m: float = 0.0
    planted: float = 0.0
    variant: str = ""
    prop: str = field(default="")


def mix(a: Pose, b: Pose, share: float) -> Pose:
    """The pose between two; discrete parts come from the nearer one."""
    near = a if share < 0.5 else b

    def lerp(x: Sequence[float], y: Sequence[float]) -> tuple[float, ...]:
        return tuple(p + (q - p) * share for p, q in zip(x, y, strict=True))

    start = b.azimuth if abs(a.tilt) < 12 else a.azimuth
    end = a.azimuth if abs(b.tilt) < 12 else b.azimuth
    azimuth, tilt, spin, lift, planted = lerp(
        (start, a.tilt, a.spin, a.lift_m, a.planted), (end, b.tilt, b.spin, b.lift_m, b.planted)
    )
    return replace(
        near,
        leg=(lerp(a.leg[0], b.leg[0]), lerp(a.leg[1], b.leg[1])),
        arm=(lerp(a.arm[0], b.arm[0]), lerp(a.arm[1], b.arm[1])),
        spine=lerp(a.spine, b.spine),
        neck=lerp(a.neck, b.neck),
        azimuth=azimuth,
        tilt=tilt,
        spin=spin,
        lift_m=lift,
        planted=planted,
    )


def ease(share: float) -> float:
    """Smooth 0..1."""
    s = min(1.0, max(0.0, share))
    return s * s * (3 - 2 * s)


def turn(axis: Sequence[float], degrees: float) -> NDArray[np.float32]:
    """Rotation matrix about an axis (Rodrigues)."""
    k = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, np.float32)


def turn_x(degrees: float) -> NDArray[np.float32]:
    """About the person's left axis: positive tilts forward."""
    return turn((1, 0, 0), degrees)


def turn_y(degrees: float) -> NDArray[np.float32]:
    """About the axis behind the person."""
    return turn((0, 1, 0), degrees)


def turn_z(degrees: float) -> NDArray[np.float32]:
    """About the vertical."""
    return turn((0, 0, 1), degrees)


def rotations(pose: Pose) -> NDArray[np.float32]:
    """One rotation a bone, B, 3, 3, without the root's."""
    out = np.tile(np.eye(3, dtype=np.float32), (len(BONES), 1, 1))
    for index, (side, sign) in enumerate((("L", 1), ("R", -1))):
        _bend_leg(out, pose.leg[index], side, sign)
        _bend_arm(out, pose.arm[index], side, sign)
    bend, lean, twist = (value / 5 for value in pose.spine)
    for bone in ("spine01", "spine02", "spine03", "spine04", "spine05"):
        out[BONE_INDEX[bone]] = turn_x(bend) @ turn_y(lean) @ turn_z(twist)
    for bone in ("neck01", "neck03", "head"):
        out[BONE_INDEX[bone]] = turn_x(pose.neck[0] / 3) @ turn_z(pose.neck[1] / 3)
    return out


def root_rotation(pose: Pose) -> NDArray[np.float32]:
    """Rotation of the whole body."""
    return np.asarray(turn_z(pose.azimuth) @ turn_x(pose.tilt) @ turn_z(pose.spin - pose.azimuth), np.float32)


def _bend_leg(out: NDArray[np.float32], leg: tuple[float, ...], side: str, sign: int) -> None:
    flexion, abduction, knee, ankle, twist = leg
    hip = turn_x(-flexion) @ turn_y(-sign * (abduction - REST_ABDUCTION_LEG)) @ turn_z(sign * twist)
    out[BONE_INDEX[f"upperleg01.{side}"]] = hip
    out[BONE_INDEX[f"lowerleg01.{side}"]] = turn_x(knee)
    out[BONE_INDEX[f"foot.{side}"]] = turn_x(-ankle)


def _bend_arm(out: NDArray[np.float32], arm: tuple[float, ...], side: str, sign: int) -> None:
    flexion, abduction, elbow, twist = arm
    shrug = max(0.0, abduction - 90) * 0.3
    out[BONE_INDEX[f"clavicle.{side}"]] = turn_y(-sign * shrug)
    swing = turn_x(-flexion) @ turn_y(-sign * (abduction - shrug - REST_ABDUCTION_ARM))
    out[BONE_INDEX[f"upperarm01.{side}"]] = swing @ turn((0.65 * sign, 0, -0.76), sign * twist)
    out[BONE_INDEX[f"lowerarm01.{side}"]] = turn((-0.76, 0, -0.65 * sign), elbow - REST_ELBOW)

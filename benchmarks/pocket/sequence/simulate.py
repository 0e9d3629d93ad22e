"""Simulated motions as the program would see them: a camera's view of moving joints, with an estimator's errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.windows import STEP_SECONDS
from benchmarks.pocket.posture.samples import CLASS_OF
from benchmarks.pocket.sequence.errors import true_joints
from benchmarks.pocket.sequence.motions import Stage, at, draw_motion, length_seconds
from benchmarks.rendered.appearance import draw_colors, draw_look, draw_person
from benchmarks.rendered.figure import make_person, place
from benchmarks.rendered.raster import project
from benchmarks.rendered.scene import aimed_camera

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.pocket.sequence.errors import Errors
    from benchmarks.rendered.backdrop import Camera
    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.figure import Person

SIDE_PX = 1000
SOON_SECONDS = 0.8  # after a change has ended, within which a moment still shows it
UNSURE = -1.0
MIN_MOMENTS = 4
BLIND_SHARE, COVER_SHARE = 0.2, 0.25  # of motions: not seen for a moment after a change; legs out of the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """One motion of one person over T moments, in meters."""

    pts_seconds: NDArray[np.float64]  # (T,)
    joints: NDArray[np.float32]  # (T, J, 3)
    stills: NDArray[np.int64]  # (T,) into STILLS
    events: NDArray[np.float32]  # (T, len(EVENTS)): 1 shown, 0 not, UNSURE
    falls: NDArray[np.bool_]  # (T,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One simulated person over T moments, as the program sees them."""

    pts_seconds: NDArray[np.float64]  # (T,)
    keypoints: NDArray[np.float32]  # (T, 17, 3), scores all 1
    stills: NDArray[np.int64]  # (T,) into STILLS
    events: NDArray[np.float32]  # (T, len(EVENTS)): 1 shown, 0 not, UNSURE


def act(bodies: BodySet, split: str, seed: int) -> Acted:
    """One person of a split doing one motion at the origin."""
    u = Random(seed)
    stages = draw_motion(u)
    pace = u.uniform(0.8, 1.25)
    times = _times(u, length_seconds(stages))
    instants = [at(stages, t * pace) for t in times]
    person = _draw_body(bodies, split, u)
    yaw = u.uniform(0, 360)
    ahead = np.array([np.sin(np.radians(yaw)), -np.cos(np.radians(yaw))])
    middle = instants[len(instants) // 2].along_m
    places = [
        place(bodies, person, now.pose, tuple((now.along_m - middle) * ahead), yaw, feet_fixed=True).joints
        for now in instants
    ]
    return Acted(
        pts_seconds=times,
        joints=np.stack(places),
        stills=np.array([STILLS.index(CLASS_OF[now.behavior]) for now in instants]),
        events=_events(stages, times, pace),
        falls=np.array([now.change == "fall" for now in instants]),
    )


def view(acted: Acted, errors: Errors, seed: int) -> Motion | None:
    """What a camera and an estimator make of it; None where the person can't be seen."""
    u, rng = Random(seed), np.random.default_rng(seed)
    joints = _seen(acted.joints, _draw_camera(u), u)
    kept = _kept(u, rng, acted.falls)
    if joints is None or kept.sum() < MIN_MOMENTS:
        return None
    found = _untidy(errors.add_to(joints, rng), u, rng)
    return Motion(
        pts_seconds=acted.pts_seconds[kept],
        keypoints=np.concatenate([found, np.ones((len(found), 17, 1), np.float32)], axis=2)[kept],
        stills=acted.stills[kept],
        events=acted.events[kept],
    )


def _times(u: Random, length: float) -> NDArray[np.float64]:
    """Moments at about the usual rate, from anywhere in the motion's first second."""
    step = STEP_SECONDS * u.choice([1.0, 1.0, 1.0, 0.75, 1.25])
    times = np.arange(u.uniform(0, 1.0), length, step)
    return times + np.array([u.uniform(-0.02, 0.02) for _ in times])


def _draw_body(bodies: BodySet, split: str, u: Random) -> Person:
    kind = draw_person(u)
    look = draw_look(u, kind, *draw_colors(u))
    person = make_person(bodies, u.choice(bodies.choices(split, kind)), look, 0)
    return replace(person, pieces=person.pieces[:1])


def _draw_camera(u: Random) -> Camera:
    """From a room's shelf to a street's mast."""
    near = u.random() < 0.55
    distance = u.uniform(2.0, 5.5) if near else u.uniform(5, 16)
    pitch = u.uniform(-4, 35) if near else u.uniform(3, 45)
    target = np.array([u.uniform(-0.6, 0.6), u.uniform(-0.4, 0.4), u.uniform(0.4, 1.0)])
    return aimed_camera(target, distance, pitch, 60, width=SIDE_PX, height=SIDE_PX)


def _seen(places: NDArray[np.float32], camera: Camera, u: Random) -> NDArray[np.float32] | None:
    """Joints (T, 17, 2) in pixels, of people (T, J, 3); the camera may hang askew."""
    flat = project(places.reshape(-1, 3), camera.matrix, SIDE_PX, SIDE_PX)[:, :2].reshape(*places.shape[:2], 2)
    if not np.isfinite(flat).all() or np.abs(flat - SIDE_PX / 2).max() > 4 * SIDE_PX:
        return None
    angle, stretch = np.radians(u.gauss(0, 4)), np.exp(u.gauss(0, 0.08))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([stretch, 1.0])
    return true_joints(np.asarray((flat - SIDE_PX / 2) @ turn.T, np.float32))


def _untidy(joints: NDArray[np.float32], u: Random, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise on top of the estimator's errors; sometimes nothing is seen below an edge."""
    low, high = joints.min(axis=1, keepdims=True), joints.max(axis=1, keepdims=True)
    size = (high - low).max(axis=2, keepdims=True)
    out = joints + rng.normal(0, 0.012, joints.shape) * size
    stray = rng.random(joints.shape[:2]) < 0.03
    out[stray] += rng.normal(0, 0.08, (int(stray.sum()), 2)) * np.repeat(size[:, 0], joints.shape[1], 1)[stray][:, None]
    swapped = rng.random(len(joints)) < 0.08
    out[swapped, 11:17] = out[swapped][:, [12, 11, 14, 13, 16, 15]]
    if u.random() < COVER_SHARE:
        edge = np.quantile(joints[..., 1], u.uniform(0.75, 0.97))
        out[..., 1] = np.minimum(out[..., 1], edge + rng.normal(0, 0.02, out.shape[:2]) * size[:, :, 0])
    return np.asarray(out, np.float32)


def _kept(u: Random, rng: np.random.Generator, falls: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The moments in which a detector finds the person."""
    kept = np.asarray(rng.random(len(falls)) >= u.choice([0.0, 0.05, 0.25]))
    if falls.any() and u.random() < BLIND_SHARE:
        last = int(np.flatnonzero(falls)[-1])
        kept[last : last + u.randint(1, 4)] = False
    return kept


def _events(stages: list[Stage], times: NDArray[np.float64], pace: float) -> NDArray[np.float32]:
    """Which events each moment shows (T, E): a change from its middle until soon after its end."""
    out = np.zeros((len(times), len(EVENTS)), np.float32)
    begin = 0.0
    for stage in stages:
        start, stop = begin / pace, (begin + stage.seconds) / pace
        changed = start + stage.change_seconds / pace
        begin += stage.seconds
        if stage.change in EVENTS:
            column = out[:, EVENTS.index(stage.change)]
            column[(times > start) & (times <= (start + changed) / 2)] = UNSURE
            column[(times > (start + changed) / 2) & (times <= changed + SOON_SECONDS)] = 1
            column[(times > changed + SOON_SECONDS) & (times <= changed + 2 * SOON_SECONDS)] = UNSURE
        named = {"running": "run", "waving": "wave"}.get(stage.behavior)
        if named:
            column = out[:, EVENTS.index(named)]
            column[(times > start - 0.5) & (times <= stop + 0.5)] = UNSURE
            column[(times > start + 0.5) & (times <= stop - 0.5)] = 1
    return out

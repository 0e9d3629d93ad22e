"""What only time shows: a fall, a run. Plain rules over a person's joints in one tracklet, and a learned head.

A fall is shoulders that drop by more than a quarter of the body's height within a second and a quarter, of a person
who is down afterwards. Shapes: T moments in time order.
"""

import numpy as np
from numpy.typing import NDArray

from anomalylmm.posture.classes import EVENTS, SEEN, STILLS
from anomalylmm.posture.features import HIPS, SHOULDERS, middle
from anomalylmm.posture.head import SequenceHead
from anomalylmm.records import Floats

STILL_SECONDS = 1.3  # over which what a still shows is averaged
FALL_SECONDS = 1.25  # from upright to down
AFTER_SECONDS = 1.5  # within which a person who fell is seen lying
FALL_DROP, DROP_WIDTH = 0.25, 0.04  # body heights, and over how many the rule turns from no to yes
DOWN_ANGLE, ANGLE_WIDTH = 45.0, 6.0  # degrees of the trunk from upright
RUN_SPEED, SPEED_WIDTH = 1.9, 0.2  # body heights per second
RUN_SECONDS = 1.0
_DOWN = [STILLS.index("lying"), STILLS.index("falling")]


def read_sequence(
    pts_seconds: Floats,
    boxes_xyxy_px: Floats,
    keypoints: Floats,
    stills: Floats,
    head: SequenceHead | None = None,
) -> tuple[Floats, Floats | None]:
    """Reads one person's moments together.

    Returns stills averaged over about a second, with falls and runs, (T, C + 2), and with a sequence head ``SEEN``,
    (T, 3). With it, stills and falls are the means of what rules and head read.

    Args:
        pts_seconds: (T,), rising.
        boxes_xyxy_px: (T, 4).
        keypoints: (T, 17, 3): x and y in pixels, score.
        stills: (T, C), the probabilities of ``STILLS`` at each moment.
        head: Reads the moments around each other.
    """
    times = np.asarray(pts_seconds, np.float64)
    joints, boxes = keypoints[..., :2].astype(np.float64), boxes_xyxy_px.astype(np.float64)
    steady = average(times, stills, STILL_SECONDS)
    falls = fall_scores(times, boxes, joints, stills[:, _DOWN].sum(axis=1))
    runs = run_scores(times, boxes, joints)
    seen: Floats | None = None
    if head is not None:
        read = head.read(times, keypoints, stills)
        events = read[:, len(STILLS) :]
        steady = np.asarray((steady + read[:, : len(STILLS)]) / 2, np.float32)
        falls = np.asarray((falls + events[:, EVENTS.index("fall")]) / 2, np.float32)
        seen = events[:, [EVENTS.index(name) for name in SEEN]]
    return np.concatenate([steady, falls[:, None], runs[:, None]], axis=1).astype(np.float32), seen


def average(times: NDArray[np.float64], values: Floats, span_seconds: float) -> Floats:
    """Averages values (T, C) over a span of time around each moment; shape (T, C)."""
    near = np.abs(times[:, None] - times[None]) <= span_seconds / 2
    return np.asarray(near @ values / near.sum(axis=1, keepdims=True), np.float32)


def fall_scores(
    times: NDArray[np.float64], boxes: NDArray[np.float64], joints: NDArray[np.float64], down: Floats
) -> Floats:
    """Scores how clearly a fall ends at each moment, 0..1; shape (T,).

    Args:
        times: (T,) seconds.
        boxes: (T, 4) in pixels.
        joints: (T, 17, 2) in pixels.
        down: (T,) probability that a still shows somebody lying or falling.
    """
    shoulders, angles = middle(joints, SHOULDERS)[:, 1], trunk_angles(joints)
    heights = boxes[:, 3] - boxes[:, 1]
    scores = np.zeros(len(times), np.float32)
    for index, now in enumerate(times):
        before = (times <= now) & (times >= now - FALL_SECONDS)
        after = (times >= now) & (times <= now + AFTER_SECONDS)
        drop = (shoulders[index] - shoulders[before].min()) / max(float(heights[before].max()), 1.0)
        tipped = _rises(float(angles[after][:2].mean()), DOWN_ANGLE, ANGLE_WIDTH)
        is_down = max(float(down[after].mean()), tipped * float(down[after].max()) ** 0.5)
        scores[index] = _rises(drop, FALL_DROP, DROP_WIDTH) * is_down
    return scores


def run_scores(times: NDArray[np.float64], boxes: NDArray[np.float64], joints: NDArray[np.float64]) -> Floats:
    """Scores how clearly somebody upright crosses the picture faster than at a walk, 0..1; shape (T,).

    The speed is that of the hips in body heights per second; a walk is about 0.8. A person who comes towards the
    camera shows none.
    """
    hips, angles = middle(joints, HIPS), trunk_angles(joints)
    heights = boxes[:, 3] - boxes[:, 1]
    scores = np.zeros(len(times), np.float32)
    for index, now in enumerate(times):
        near = np.flatnonzero(np.abs(times - now) <= RUN_SECONDS / 2)
        seconds = times[near[-1]] - times[near[0]]
        if seconds < RUN_SECONDS / 3:
            continue
        speed = np.linalg.norm(hips[near[-1]] - hips[near[0]]) / seconds / max(float(np.median(heights[near])), 1.0)
        upright = 1 - _rises(float(angles[near].mean()), DOWN_ANGLE, ANGLE_WIDTH)
        scores[index] = _rises(float(speed), RUN_SPEED, SPEED_WIDTH) * upright
    return scores


def trunk_angles(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles of trunks (T, 17, 2) in degrees: 0 upright, 90 lying, 180 upside down; shape (T,)."""
    trunk = middle(joints, SHOULDERS) - middle(joints, HIPS)
    return np.asarray(np.degrees(np.arctan2(np.abs(trunk[:, 0]), -trunk[:, 1])))


def _rises(value: float, middle_value: float, width: float) -> float:
    """0 far below a value, 0.5 at it, 1 far above."""
    return float(1 / (1 + np.exp(-np.clip((value - middle_value) / width, -30, 30))))

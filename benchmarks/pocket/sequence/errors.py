"""How a pose estimator errs: estimated minus true joints of rendered crops, found again by similar bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.pocket.pose.samples import BODY, CACHED_SIDE_PX, FACE, match_rows
from benchmarks.pocket.posture.samples import read_samples
from benchmarks.rendered.body import JOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anomalylmm.protocols import PoseEstimator

HEAD = JOINTS.index("head")
WORSE = (1.0, 1.0, 1.0, 1.5, 2.2)  # factors of the errors of a motion
LIKELY = 4000  # crops of which a motion takes its errors, so that two motions err differently


def true_joints(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """COCO's 17 joints of rendered joints (N, 16, 2); the face's five are all at the head. Shape (N, 17, 2)."""
    face = np.repeat(places[:, HEAD : HEAD + 1], FACE, axis=1)
    return np.concatenate([face, places[:, BODY]], axis=1)


def normalized(joints: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints (N, 17, 2) around their middle in body sizes, and the sizes (N, 1, 1)."""
    low, high = joints.min(axis=1, keepdims=True), joints.max(axis=1, keepdims=True)
    size = (high - low).max(axis=2, keepdims=True)
    return (joints - (low + high) / 2) / size, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Bodies (N, 17, 2) in body sizes, and by how much the estimator missed each of their joints."""

    bodies: NDArray[np.float32]
    misses: NDArray[np.float32]

    def add_to(self, joints: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Joints (T, 17, 2) of one motion as the estimator would see them: with the errors of the most similar body."""
        chosen = rng.choice(len(self.bodies), min(LIKELY, len(self.bodies)), replace=False)
        plain, size = normalized(joints)
        known = self.bodies[chosen].reshape(len(chosen), -1)
        flat = plain.reshape(len(plain), -1)
        apart = (known**2).sum(1)[None] - 2 * flat @ known.T
        worse = rng.choice(WORSE)  # a small or dim person is estimated worse, all the time
        return np.asarray(joints + worse * self.misses[chosen[apart.argmin(axis=1)]] * size, np.float32)


def read_errors(shards: Sequence[Path], estimator: PoseEstimator, cache: Path) -> Errors:
    """The errors on rendered crop shards; what was estimated before is read from `cache`."""
    true, found = [], []
    for shard in shards:
        samples = read_samples([shard], estimator, cache)
        rows = [json.loads(line) for line in (shard / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
        boxes = np.array([row["box"] for row in rows], np.float32)
        picked = match_rows(boxes, samples.boxes[:, 0] / CACHED_SIDE_PX)
        true.append(np.array([rows[row]["joints_xy"] for row in picked], np.float32) * CACHED_SIDE_PX)
        found.append(samples.keypoints[:, 0, :, :2])
    joints = true_joints(np.concatenate(true))
    bodies, size = normalized(joints)
    return Errors(bodies=bodies, misses=np.asarray((np.concatenate(found) - joints) / size, np.float32))

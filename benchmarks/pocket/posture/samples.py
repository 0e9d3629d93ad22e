"""Rendered crops as the pose estimator sees them: the person's joints, those of who is nearest, and the behavior."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.features import nearest_other
from anomalylmm.records import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anomalylmm.protocols import PoseEstimator

CLASS_OF = {
    "phoning": "standing",
    "waving": "standing",
    "carrying": "walking",
    "collapsing": "falling",
    "falling_off_bicycle": "falling",
    "pushing": "fighting",
    "punching": "fighting",
    "kicking": "fighting",
    "jumping": "other",
    "cycling": "other",
    "breaking_into_car": "other",
} | {name: name for name in STILLS}
LEFT_OUT = ("dragged", "hit_by_person", "hit_by_vehicle")  # may look like lying, falling or fighting
BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """N persons; a second person is there where `has_other` says so."""

    keypoints: NDArray[np.float32]  # (N, 2, 17, 3) in pixels of the crop
    boxes: NDArray[np.float32]  # (N, 2, 4)
    has_other: NDArray[np.bool_]  # (N,)
    labels: NDArray[np.int64]  # (N,) into STILLS

    def __len__(self) -> int:
        """Number of persons."""
        return len(self.labels)

    def join(self, other: Samples) -> Samples:
        """Both, one after the other."""
        pairs = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__slots__}
        return Samples(**pairs)


def read_samples(shards: Sequence[Path], estimator: PoseEstimator, cache: Path) -> Samples:
    """The persons of some crop shards; what was estimated before is read from `cache`."""
    parts = [_read_shard(shard, estimator, cache) for shard in shards]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.join(part)
    return whole


def _read_shard(shard: Path, estimator: PoseEstimator, cache: Path) -> Samples:
    kept = cache / f"{estimator.model_id.replace('/', '_')}-{shard.name}.npz"
    if kept.is_file():
        with np.load(kept) as stored:
            return Samples(**{name: stored[name] for name in Samples.__slots__})
    made = _estimate(shard, estimator)
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(kept, **{name: getattr(made, name) for name in Samples.__slots__})
    return made


def _estimate(shard: Path, estimator: PoseEstimator) -> Samples:
    images = np.load(shard / "images.npy")
    lines = (shard / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(number, json.loads(line)) for number, line in enumerate(lines)]
    rows = [(number, row) for number, row in rows if row["behavior"] not in LEFT_OUT]
    persons = [_persons(row, images.shape[1]) for _, row in rows]
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        found += estimator.estimate([images[number] for number, _ in rows[part]], persons[part])
    return gather(found, [p.boxes_xyxy_px for p in persons], [CLASS_OF[row["behavior"]] for _, row in rows])


def _persons(row: dict[str, object], side: int) -> Detections:
    """The subject and the nearest other person, if any is near."""
    others = row.get("others", [])
    boxes = np.array([row["box"], *(other["box"] for other in others)], np.float64) * side  # type: ignore[union-attr]
    near = nearest_other(boxes, 0)
    chosen = boxes[[0] if near is None else [0, near]].astype(np.float32)
    return Detections(boxes_xyxy_px=chosen, scores=np.ones(len(chosen), np.float32))


def gather(found: Sequence[NDArray[np.float32]], boxes: Sequence[NDArray[np.float32]], names: Sequence[str]) -> Samples:
    """Puts the first one or two persons of each picture into arrays."""
    keypoints = np.zeros((len(found), 2, 17, 3), np.float32)
    corners = np.zeros((len(found), 2, 4), np.float32)
    for index, (joints, box) in enumerate(zip(found, boxes, strict=True)):
        number = min(2, len(joints))
        keypoints[index, :number], corners[index, :number] = joints[:number], box[:number]
    return Samples(
        keypoints=keypoints,
        boxes=corners,
        has_other=np.array([len(joints) > 1 for joints in found]),
        labels=np.array([STILLS.index(name) for name in names], np.int64),
    )

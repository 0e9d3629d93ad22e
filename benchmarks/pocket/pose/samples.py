"""Persons to learn from: rendered ones with exact joints, real ones with a teacher's."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered.body import JOINTS as RENDERED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BONES = ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
BODY = [RENDERED.index(f"{bone}.{side}") for bone in BONES for side in "LR"]  # COCO's joints 5 to 16
FACE = 5  # the first of COCO's joints, which the rendered bodies don't know
FACE_SCORE, REAL_SCORE = 0.3, 0.2  # least scores of the teacher's joints to learn from
CACHED_SIDE_PX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """N square pictures, each with one person; positions in 0..1 of the picture."""

    images: NDArray[np.uint8]  # (N, S, S, 3) RGB
    joints: NDArray[np.float32]  # (N, 17, 2) in COCO's order
    known: NDArray[np.bool_]  # (N, 17)
    boxes: NDArray[np.float32]  # (N, 4)
    behaviors: tuple[str, ...]

    def __len__(self) -> int:
        """Number of persons."""
        return len(self.images)

    def pick(self, rows: Sequence[int]) -> People:
        """Some of them."""
        arrays = {name: np.asarray(getattr(self, name)[list(rows)]) for name in ("images", "joints", "known", "boxes")}
        return People(**arrays, behaviors=tuple(self.behaviors[row] for row in rows))

    def with_joints(self, joints: NDArray[np.float32]) -> People:
        """The same persons with other joints (N, 17, 2)."""
        return replace(self, joints=joints.astype(np.float32))


def read_rendered(shard: Path, teacher: Path | None = None) -> People:
    """Reads a shard of rendered crops.

    Args:
        shard: A folder with ``images.npy`` and ``rows.jsonl``.
        teacher: Joints that a teacher estimated for the shard (as ``benchmarks.pocket.posture`` keeps them), for the
            face; without it nothing is known of faces.
    """
    rows = [json.loads(line) for line in (shard / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    joints = np.zeros((len(rows), 17, 2), np.float32)
    joints[:, FACE:] = np.array([row["joints_xy"] for row in rows], np.float32)[:, BODY]
    known = np.ones((len(rows), 17), bool)
    known[:, :FACE] = False
    if teacher is not None and teacher.is_file():
        _add_faces(joints, known, np.array([row["box"] for row in rows], np.float32), teacher)
    return People(
        images=np.load(shard / "images.npy", mmap_mode="r"),
        joints=joints,
        known=known,
        boxes=np.array([row["box"] for row in rows], np.float32),
        behaviors=tuple(row["behavior"] for row in rows),
    )


def _add_faces(
    joints: NDArray[np.float32], known: NDArray[np.bool_], boxes: NDArray[np.float32], teacher: Path
) -> None:
    """Takes nose, eyes and ears from the teacher, whose persons are a part of the shard's, in its order."""
    with np.load(teacher) as stored:
        found, places = stored["keypoints"][:, 0], stored["boxes"][:, 0] / CACHED_SIDE_PX
    rows = match_rows(boxes, places)
    joints[rows, :FACE] = found[:, :FACE, :2] / CACHED_SIDE_PX
    known[rows, :FACE] = found[:, :FACE, 2] >= FACE_SCORE


def match_rows(boxes: NDArray[np.float32], places: NDArray[np.float32]) -> list[int]:
    """The rows of boxes (N, 4) that places (M, 4), some of them in the same order, are."""
    rows: list[int] = []
    row = 0
    for place in places:
        while np.abs(boxes[row] - place).max() > 1e-3:
            row += 1
        rows.append(row)
        row += 1
    return rows


def read_real(paths: Sequence[Path]) -> People:
    """Reads real persons: ``images``, ``joints`` (N, 17, 3) with scores and ``boxes`` of ``.npz`` files."""
    parts = [np.load(path) for path in paths]
    parts = [part for part in parts if len(part["images"])]
    joints = np.concatenate([part["joints"] for part in parts])
    images = np.concatenate([part["images"] for part in parts])
    return People(
        images=images,
        joints=joints[:, :, :2],
        known=joints[:, :, 2] >= REAL_SCORE,
        boxes=np.concatenate([part["boxes"] for part in parts]),
        behaviors=("real",) * len(images),
    )

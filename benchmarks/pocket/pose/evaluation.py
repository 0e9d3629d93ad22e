"""How many joints are found: a share of those within a tenth of the box's longer side, by posture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from anomalylmm.posture.features import SWAPPED
from benchmarks.pocket.pose.augment import plain
from benchmarks.pocket.pose.net import PoseNet
from benchmarks.pocket.pose.samples import FACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.pocket.pose.samples import People

BATCH = 32
NEAR = 0.1  # of the box's longer side
SQUARE = 1.25  # of the box's longer side, as the product cuts
POSTURES = {
    "upright": ("standing", "walking", "running", "waving", "phoning", "carrying"),
    "sitting, crouching": ("sitting", "crouching"),
    "bending, crawling": ("bending", "crawling"),
    "lying": ("lying",),
    "falling": ("falling", "collapsing", "falling_off_bicycle"),
    "fighting": ("fighting", "punching", "kicking", "pushing"),
}


def find_joints(net: PoseNet, people: People, turns: Sequence[int] = (0,)) -> NDArray[np.float32]:
    """The joints (N, 17, 3) in 0..1 of the square around each person.

    Args:
        net: What finds them.
        people: N persons.
        turns: Quarter turns in which the net sees each person; the one of which it is surest counts.
    """
    found = np.stack([turn_back(_run(net, people, turn), turn) for turn in turns])  # (T, N, 17, 3)
    best = found[:, :, FACE:, 2].mean(2).argmax(0)
    return found[best, np.arange(len(people))]


def _run(net: PoseNet, people: People, turn: int) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(people), BATCH):
        rows = range(start, min(start + BATCH, len(people)))
        images = np.stack([np.rot90(plain(people, row)[0], turn) for row in rows])
        with torch.inference_mode():
            parts.append(net(torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()).numpy())
    return np.concatenate(parts)


def turn_back(joints: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """Joints seen in a picture that numpy's ``rot90`` turned, in the picture before."""
    for _ in range(turn):
        joints = np.stack([1 - joints[..., 1], joints[..., 0], joints[..., 2]], axis=-1)
    return joints


def hits(found: NDArray[np.float32], people: People) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of each person's joints were found, and which if left and right are not told apart; both (N, 17)."""
    exact = np.stack([plain(people, row)[1] for row in range(len(people))])
    near = [
        np.linalg.norm(joints[:, :, :2] - exact, axis=2) * SQUARE < NEAR for joints in (found, found[:, list(SWAPPED)])
    ]
    swap = (near[1] & people.known).sum(1) > (near[0] & people.known).sum(1)
    return near[0], np.where(swap[:, None], near[1], near[0])


def score(found: NDArray[np.float32], people: People) -> dict[str, dict[str, float]]:
    """Shares of the body's known joints that were found: of all persons and by posture."""
    near, free = hits(found, people)
    behaviors = np.array(people.behaviors)
    groups = {"all": np.ones(len(people), bool)} | {
        name: np.isin(behaviors, members) for name, members in POSTURES.items()
    }
    return {
        name: {
            "n": int(rows.sum()),
            "found": round(_share(near[rows], people.known[rows]), 3),
            "found, sides free": round(_share(free[rows], people.known[rows]), 3),
        }
        for name, rows in groups.items()
        if rows.any()
    }


def _share(near: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    return float(near[:, FACE:][known[:, FACE:]].mean())


def blend(start: PoseNet, tuned: PoseNet, share: float) -> None:
    """Moves a start's weights the given share of the way to those that were tuned."""
    with torch.no_grad():
        for own, other in zip(start.parameters(), tuned.parameters(), strict=True):
            own.lerp_(other, share)

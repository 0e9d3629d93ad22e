"""What each of the pose net's heads is to say, and how far it is from that."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.pocket.pose.net import CELLS, JOINTS

SPREAD_CELLS = 1.3  # of a joint's bump in the heat map
CENTER_SPREAD_CELLS = 2.5
NEAR_CELLS = 1.6  # of a joint: where offsets are learned
WEIGHTS = {"heatmap": 1.0, "center": 0.2, "offset": 0.5, "regress": 0.1}
LEAST = 1e-4


def pose_loss(heads: dict[str, Tensor], joints: Tensor, known: Tensor) -> Tensor:
    """Distance of the heads from the joints.

    Args:
        heads: As ``PoseNet.heads`` gives them.
        joints: (N, 17, 2) x and y in 0..1; outside of it for joints that the picture does not show.
        known: (N, 17) whether a joint's place is known.
    """
    places = joints * CELLS
    inside = ((joints >= 0) & (joints < 1)).all(2)
    away = _distance(places)
    bump = torch.exp(-(away**2) / (2 * SPREAD_CELLS**2)) * inside[..., None, None]
    body = known[:, 5:, None].float()
    center = ((places[:, 5:] * body).sum(1) / body.sum(1).clamp(min=1)).clamp(1, CELLS - 2)
    from_center = _distance(center[:, None])
    blob = torch.exp(-(from_center**2) / (2 * CENTER_SPREAD_CELLS**2))
    parts = {
        "heatmap": _focal(heads["heatmap"], bump, known.float()),
        "center": _focal(heads["center"], blob, torch.ones_like(known[:, :1], dtype=torch.float32)),
        "offset": _pairs(heads["offset"], places, (away < NEAR_CELLS) & (known & inside)[..., None, None]),
        "regress": _pairs(heads["regress"], places, (from_center < NEAR_CELLS) & known[..., None, None]),
    }
    return torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()


def _distance(places: Tensor) -> Tensor:
    """Of every cell from each of (N, K, 2) places: (N, K, 48, 48)."""
    line = torch.arange(CELLS, device=places.device, dtype=torch.float32)
    x, y = line - places[..., :1], line - places[..., 1:]
    return (x[..., None, :] ** 2 + y[..., :, None] ** 2).sqrt()


def _focal(logits: Tensor, bump: Tensor, weight: Tensor) -> Tensor:
    """CenterNet's loss of a map (N, K, H, W) whose cells near a peak count little; weight (N, K)."""
    score = logits.float().sigmoid().clamp(LEAST, 1 - LEAST)
    flat = bump.flatten(2)
    peak = torch.zeros_like(flat).scatter_(2, flat.argmax(2, keepdim=True), 1.0).view_as(bump)
    peak = peak * (bump > 0.1)
    loss = peak * (1 - score) ** 2 * score.log() + (1 - peak) * (1 - bump) ** 4 * score**2 * (1 - score).log()
    return -(loss.sum((2, 3)) * weight).sum() / weight.sum().clamp(min=1)


def _pairs(values: Tensor, places: Tensor, chosen: Tensor) -> Tensor:
    """L1 of (N, 34, H, W) pairs y, x against the way from each cell to its joint, in the chosen cells (N, 17, H, W)."""
    line = torch.arange(CELLS, device=places.device, dtype=torch.float32)
    pairs = values.float().unflatten(1, (JOINTS, 2))
    y = (pairs[:, :, 0] + line[:, None] - places[..., 1, None, None]).abs()
    x = (pairs[:, :, 1] + line - places[..., 0, None, None]).abs()
    return ((x + y) * chosen).sum() / chosen.sum().clamp(min=1)

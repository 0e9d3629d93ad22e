"""NanoDet's loss: ATSS assigns anchors to boxes; quality focal, generalized IoU and distribution focal losses.

ATSS: Zhang et al., CVPR 2020. Generalized focal loss: Li et al., NeurIPS 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from benchmarks.pocket.nanodet.net import BINS, STRIDES, boxes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

ANCHOR_STRIDES = 5  # side of an anchor's square, for ATSS
NEAREST = 9  # anchors a level that may belong to a box
BOX_WEIGHT, BINS_WEIGHT = 2.0, 0.25


def overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of boxes (..., 4) that broadcast."""
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    hull = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    shared = (high - low).clamp(0).prod(-1)
    areas = sum((box[..., 2:] - box[..., :2]).clamp(0).prod(-1) for box in (one, other))
    union, whole = areas - shared, hull.clamp(0).prod(-1)
    iou = shared / union.clamp(1e-6)
    return iou, iou - (whole - union) / whole.clamp(1e-6)


def assign(boxes: Tensor, centers: Tensor, strides: Tensor) -> Tensor:
    """The box of each anchor (A,), or -1: of a box's nearest anchors those that overlap it better than usual."""
    if not len(boxes):
        return torch.full((len(centers),), -1, device=centers.device)
    half = strides * ANCHOR_STRIDES / 2
    iou = overlap(torch.cat((centers - half, centers + half), 1)[:, None], boxes[None])[0]
    near = _nearest(boxes, centers, strides)
    values = iou.gather(0, near)
    points = centers[near]
    inside = torch.minimum(points - boxes[None, :, :2], boxes[None, :, 2:] - points).amin(-1) > 0.01
    good = (values >= values.mean(0) + values.std(0)) & inside
    score = torch.full_like(iou, -1.0).scatter_(0, near, values.masked_fill(~good, -1.0))
    best, owner = score.max(1)
    return torch.where(best >= 0, owner, torch.full_like(owner, -1))


def _nearest(boxes: Tensor, centers: Tensor, strides: Tensor) -> Tensor:
    """Numbers of the anchors nearest to each box's center, on each level."""
    far = torch.cdist(centers, (boxes[:, :2] + boxes[:, 2:]) / 2)
    picked = []
    for stride in STRIDES:
        index = (strides[:, 0] == stride).nonzero()[:, 0]
        picked.append(index[far[index].topk(min(NEAREST, len(index)), 0, largest=False)[1]])
    return torch.cat(picked)


def detection_loss(logits: Tensor, truth: Sequence[Tensor], centers: Tensor, strides: Tensor) -> Tensor:
    """Loss of a batch of logits (N, A, 1 + 4 * BINS) against N lists of boxes in pixels."""
    owners = [assign(boxes, centers, strides) for boxes in truth]
    picture = torch.cat([torch.full_like(owner[owner >= 0], index) for index, owner in enumerate(owners)])
    anchor = torch.cat([(owner >= 0).nonzero()[:, 0] for owner in owners])
    quality, score = torch.zeros_like(logits[..., 0]), logits[..., 0]
    boxes_loss = logits.sum() * 0
    if len(anchor):
        wanted = torch.cat([boxes[owner[owner >= 0]] for boxes, owner in zip(truth, owners, strict=True)])
        found = boxes_of(logits, centers, strides)[picture, anchor]
        iou, giou = overlap(found, wanted)
        quality[picture, anchor] = iou.detach().to(quality.dtype)
        weight = score.detach().sigmoid()[picture, anchor]
        bins = _bins_loss(logits[picture, anchor, 1:], wanted, centers[anchor], strides[anchor])
        boxes_loss = ((BOX_WEIGHT * (1 - giou) + BINS_WEIGHT * bins) * weight).sum() / weight.sum().clamp(1e-3)
    focal = functional.binary_cross_entropy_with_logits(score, quality, reduction="none")
    focal = focal * (quality - score.sigmoid()).abs() ** 2
    return focal.sum() / max(1, len(anchor)) + boxes_loss


def _bins_loss(logits: Tensor, wanted: Tensor, center: Tensor, stride: Tensor) -> Tensor:
    """Distribution focal loss of M boxes' sides, their mean; (M,)."""
    sides = torch.cat((center - wanted[:, :2], wanted[:, 2:] - center), 1) / stride
    target = sides.clamp(0, BINS - 1.1).reshape(-1, 1)
    low = target.long()
    shares = logits.reshape(-1, BINS).log_softmax(-1)
    loss = -(shares.gather(1, low) * (low + 1 - target) + shares.gather(1, low + 1) * (target - low))
    return loss.reshape(-1, 4).mean(1)

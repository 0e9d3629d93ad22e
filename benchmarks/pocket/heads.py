"""Losses: attributes, joints and the sigmoid loss between images and the captions they satisfy."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pocket.data import LABELS, MISSING
from benchmarks.pocket.towers import STAGES, WIDTH
from benchmarks.rendered.captions import BEHAVIORS, COLORS, PERSONS, Caption

_WEIGHTS = {"behavior": 2.0, "upper": 1.0, "lower": 1.0, "shoes": 0.2, "hat": 0.2, "bag": 0.3, "person": 0.3}
_ALIGNED = ("behavior", "upper", "lower", "person", "bag", "hat", "shoes")
_JOINTS = 16
_RADIUS = 0.07


class AttributeHeads(nn.Module):
    """What the vision tower is asked while it trains; thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in LABELS.items()})
        self.maps = nn.Conv2d(STAGES[2], _JOINTS, 1)
        self.points = nn.Linear(WIDTH, 2 * _JOINTS)

    def forward(self, vision: Any, labels: Tensor, joints: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Loss and batch accuracies for what the tower returned, N labels and N,J,2 joints."""
        pooled = vision.pooler_output.float()
        loss, accuracy = pooled.new_zeros(()), {}
        for column, (name, head) in enumerate(self.classes.items()):
            truth = labels[:, column]
            known = truth != MISSING
            if known.any():
                logits = head(pooled[known])
                smoothing = 0.05 if name == "behavior" else 0.0
                loss = loss + _WEIGHTS[name] * functional.cross_entropy(logits, truth[known], label_smoothing=smoothing)
                accuracy[name] = (logits.argmax(1) == truth[known]).float().mean().item()
        return loss + self._joint_loss(vision, pooled, joints), accuracy

    def _joint_loss(self, vision: Any, pooled: Tensor, joints: Tensor) -> Tensor:
        logits = self.maps(vision.intermediate_activations[1].float())
        target = heat_maps(joints, logits.shape[-1])
        weight = 1 + 6 * target
        maps = functional.binary_cross_entropy_with_logits(logits, target, weight=weight)
        points = self.points(pooled).view(-1, _JOINTS, 2)
        return 8 * maps + 6 * functional.smooth_l1_loss(points, joints.clamp(-0.3, 1.3), beta=0.1)


class AlignedHeads(nn.Module):
    """One set of classifiers for the embeddings of images and of texts, which pulls equal facts together."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.ModuleDict({name: nn.Linear(WIDTH, LABELS[name]) for name in _ALIGNED})

    def forward(self, embedded: Tensor, labels: Tensor) -> Tensor:
        """Loss of N unit vectors against N,A labels (MISSING where nothing is shown or said)."""
        loss = embedded.new_zeros(())
        for column, (name, head) in enumerate(self.classes.items()):
            known = labels[:, column] != MISSING
            if known.any():
                logits = head(10 * embedded[known])
                loss = loss + _WEIGHTS[name] * functional.cross_entropy(logits, labels[known, column])
        return loss

    @staticmethod
    def shown(labels: Tensor) -> Tensor:
        """The columns of image labels that are aligned."""
        return labels[:, [list(LABELS).index(name) for name in _ALIGNED]]

    @staticmethod
    def said(captions: Sequence[Caption]) -> Tensor:
        """Labels of what captions state: Q,A."""
        return torch.tensor([[_said(caption, name) for name in _ALIGNED] for caption in captions])


def _said(caption: Caption, name: str) -> int:
    accepted = caption.facts.get(name, frozenset())
    if len(accepted) != 1:
        return MISSING
    names = {"behavior": BEHAVIORS, "person": tuple(PERSONS)}.get(name, COLORS)
    return names.index(next(iter(accepted)))


def heat_maps(joints: Tensor, grid: int) -> Tensor:
    """Blurred dots of N,J,2 joints on a grid: N,J,grid,grid."""
    centers = (torch.arange(grid) + 0.5) / grid
    dx = (centers - joints[..., :1]) ** 2
    dy = (centers - joints[..., 1:]) ** 2
    return torch.exp(-(dy.unsqueeze(-1) + dx.unsqueeze(-2)) / (2 * _RADIUS**2))


def positives(captions: Sequence[Caption], facts: Sequence[Mapping[str, str]]) -> Tensor:
    """N,Q: which of N images satisfy which of Q captions, so that lucky matches are no negatives."""
    cells = torch.zeros(len(facts), len(captions))
    for column, caption in enumerate(captions):
        stated = list(caption.facts.items())
        for row, known in enumerate(facts):
            cells[row, column] = all(known.get(name) in accepted for name, accepted in stated)
    return cells


def sigmoid_loss(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, truth: Tensor) -> Tensor:
    """SigLIP's pairwise loss over unit vectors N,D and Q,D with several positives per caption."""
    logits = images @ texts.T * scale.exp().clamp(max=60) + bias
    pairs = functional.logsigmoid(logits * (2 * truth - 1))
    return -pairs.sum() / len(texts)

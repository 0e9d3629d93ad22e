"""Losses: attributes, joints and the sigmoid loss between images and the captions they satisfy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pocket.data import CLASSES, JOINTS, LABELS, MISSING
from benchmarks.pocket.towers import WIDTH
from benchmarks.rendered.captions import Caption

_WEIGHTS = {"behavior": 2.5, "upper": 1.0, "lower": 1.0, "shoes": 0.7, "hat": 0.5, "bag": 0.7, "person": 0.6}
_WEIGHTS |= {"upper_kind": 0.6, "lower_kind": 0.6, "hair": 0.5, "place": 0.5, "night": 0.2}
_PARTS = {
    "upper": (1, 2, 3),
    "lower": (8, 9, 10, 11),
    "shoes": (12, 13, 14, 15),
    "hat": (0,),
    "hair": (0, 1),
    "upper_kind": (1, 2, 3, 4, 5, 8, 9),
    "lower_kind": (8, 9, 10, 11),
    "behavior": tuple(range(JOINTS)),
    "person": tuple(range(JOINTS)),
}  # the joints around which an attribute shows
_RADIUS = 0.07
_SMOOTHING = 0.05


class AttributeHeads(nn.Module):
    """What the vision tower is asked while it trains; thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in LABELS.items()})
        self.parts = nn.ModuleDict({name: nn.Linear(WIDTH, LABELS[name]) for name in _PARTS})
        self.maps = nn.Linear(WIDTH, JOINTS)
        self.points = nn.Linear(WIDTH, 2 * JOINTS)

    def forward(self, vision: Any, labels: Tensor, joints: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Loss and batch accuracies for what the tower returned, N labels and N,J,2 joints."""
        pooled = vision.pooler_output.float()
        loss, accuracy = pooled.new_zeros(()), {}
        for column, (name, head) in enumerate(self.classes.items()):
            truth = labels[:, column]
            known = truth != MISSING
            if known.any():
                logits = head(pooled[known])
                smoothing = _SMOOTHING if name == "behavior" else 0.0
                loss = loss + _WEIGHTS[name] * functional.cross_entropy(logits, truth[known], label_smoothing=smoothing)
                accuracy[name] = (logits.argmax(1) == truth[known]).float().mean().item()
        known = ~joints.isnan().any(2).any(1)
        tokens = vision.last_hidden_state[known, 1:].float()
        places = heat_maps(joints[known], round(tokens.shape[1] ** 0.5)).flatten(2).transpose(1, 2)  # N,P,J
        loss = loss + self._joint_loss(tokens, pooled[known], joints[known], places)
        return loss + self._part_loss(tokens, places, labels[known]), accuracy

    def _joint_loss(self, tokens: Tensor, pooled: Tensor, joints: Tensor, places: Tensor) -> Tensor:
        maps = functional.binary_cross_entropy_with_logits(self.maps(tokens), places, weight=1 + 6 * places)
        points = self.points(pooled).view(-1, JOINTS, 2)
        return 8 * maps + 6 * functional.smooth_l1_loss(points, joints.clamp(-0.3, 1.3), beta=0.1)

    def _part_loss(self, tokens: Tensor, places: Tensor, labels: Tensor) -> Tensor:
        """Attributes read where they show, so that patches hold them and the summary finds them there."""
        loss = tokens.new_zeros(())
        for name, head in self.parts.items():
            weight = places[:, :, _PARTS[name]].mean(2)
            near = torch.einsum("ij,ijk->ik", weight / (weight.sum(1, keepdim=True) + 1e-6), tokens)
            truth = labels[:, list(LABELS).index(name)]
            loss = loss + 0.7 * _WEIGHTS[name] * functional.cross_entropy(head(near), truth, ignore_index=MISSING)
        return loss


class AlignedHeads(nn.Module):
    """One set of classifiers for the embeddings of images and of texts, which pulls equal facts together."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in LABELS.items()})

    def forward(self, embedded: Tensor, labels: Tensor) -> Tensor:
        """Loss of N unit vectors against N,L labels (MISSING where nothing is shown or said)."""
        loss = embedded.new_zeros(())
        for column, (name, head) in enumerate(self.classes.items()):
            known = labels[:, column] != MISSING
            if known.any():
                logits = head(10 * embedded[known])
                loss = loss + _WEIGHTS[name] * functional.cross_entropy(logits, labels[known, column])
        return loss

    @staticmethod
    def said(captions: Sequence[Caption]) -> Tensor:
        """Labels of what captions state: Q,L."""
        return torch.tensor([[_said(caption, name) for name in LABELS] for caption in captions])


def _said(caption: Caption, name: str) -> int:
    accepted = caption.facts.get(name, frozenset())
    word = next(iter(accepted)) if len(accepted) == 1 else ""
    return CLASSES[name].index(word) if word in CLASSES[name] else MISSING


def heat_maps(joints: Tensor, grid: int) -> Tensor:
    """Blurred dots of N,J,2 joints on a grid: N,J,grid,grid."""
    centers = (torch.arange(grid, device=joints.device) + 0.5) / grid
    dx = (centers - joints[..., :1]) ** 2
    dy = (centers - joints[..., 1:]) ** 2
    return torch.exp(-(dy.unsqueeze(-1) + dx.unsqueeze(-2)) / (2 * _RADIUS**2))


def positives(captions: Sequence[Caption], facts: Sequence[Mapping[str, str]]) -> Tensor:
    """N,Q: which of N images satisfy which of Q captions, so that lucky matches are no negatives."""
    stated = {name for caption in captions for name in caption.facts}
    shown = {name: np.array([known.get(name, "") for known in facts]) for name in stated}
    cells = np.ones((len(facts), len(captions)), np.float32)
    for column, caption in enumerate(captions):
        for name, accepted in caption.facts.items():
            cells[:, column] *= np.isin(shown[name], list(accepted))
    return torch.from_numpy(cells)


def sigmoid_loss(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, truth: Tensor) -> Tensor:
    """SigLIP's pairwise loss over unit vectors N,D and Q,D with several positives per caption."""
    logits = images @ texts.T * scale.exp().clamp(max=60) + bias
    pairs = functional.logsigmoid(logits * (2 * truth - 1))
    return -pairs.sum() / len(texts)


def patch_loss(patches: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, truth: Tensor) -> Tensor:
    """The same where an image is as near to a text as its nearest patches are: N,P,D and Q,D."""
    near = torch.einsum("npd,qd->nqp", functional.normalize(patches, dim=-1), texts)
    pooled = (functional.softmax(12 * near, dim=-1) * near).sum(-1)  # N,Q
    pairs = functional.logsigmoid((pooled * scale.exp().clamp(max=60) + bias) * (2 * truth - 1))
    return -pairs.sum() / len(texts)

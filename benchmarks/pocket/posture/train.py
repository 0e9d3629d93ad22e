"""Trains the posture head's perceptrons and writes them as safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.head import CLIP, PostureHead
from benchmarks.pocket.posture.augment import augmented_features

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.pocket.posture.samples import Samples

MEMBERS, ROUNDS, EPOCHS = 3, 6, 14
HIDDEN, BATCH, RATE, DECAY, DROPOUT, NOISE, SMOOTHING = 128, 128, 2e-3, 1e-2, 0.3, 0.1, 0.05
SEED = 0


def train_head(samples: Samples, *, rounds: int = ROUNDS, device: str = "cpu") -> dict[str, NDArray[np.float32]]:
    """The arrays of a head trained on augmented samples."""
    rng = np.random.default_rng(SEED)
    features = np.concatenate([augmented_features(samples, rng) for _ in range(rounds)])
    labels = np.tile(samples.labels, rounds)
    mean, scale = features.mean(0), features.std(0) + 1e-4
    standard = np.clip((features - mean) / scale, -CLIP, CLIP).astype(np.float32)
    arrays = {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
    for member in range(MEMBERS):
        net = _train_one(torch.from_numpy(standard), torch.from_numpy(labels), SEED + member, device)
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        for number, layer in enumerate(linear):
            arrays[f"{member}.{number}.weight"] = layer.weight.detach().cpu().numpy()
            arrays[f"{member}.{number}.bias"] = layer.bias.detach().cpu().numpy()
    return arrays


def _train_one(features: torch.Tensor, labels: torch.Tensor, seed: int, device: str) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    net = _perceptron(features.shape[1]).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(features) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    weights = _class_weights(labels).to(device)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features)).split(BATCH):
            batch = features[rows].to(device)
            logits = net(batch + NOISE * torch.randn_like(batch))
            target = labels[rows].to(device)
            loss = functional.cross_entropy(logits, target, weights, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def _perceptron(inputs: int) -> torch.nn.Sequential:
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, HIDDEN // 2),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN // 2, len(STILLS)),
    )


def _class_weights(labels: torch.Tensor) -> torch.Tensor:
    """Rare behaviors count more, by the square root of their rarity."""
    counts = torch.bincount(labels, minlength=len(STILLS)).clamp(min=1).float()
    weights = counts.rsqrt()
    return weights / weights.mean()


def write_head(arrays: dict[str, NDArray[np.float32]], folder: Path) -> PostureHead:
    """Write head.safetensors, and give the head as the product reads it."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / "head.safetensors")
    return PostureHead.of_arrays(arrays)

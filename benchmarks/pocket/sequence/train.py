"""Trains the sequence head's perceptrons on views of acted motions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.features import NUM_JOINTS, SWAPPED
from anomalylmm.posture.head import CLIP, PostureHead
from anomalylmm.posture.windows import PER_PLACE, PLACES, describe_windows
from benchmarks.pocket.sequence.simulate import UNSURE, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.pocket.sequence.errors import Errors
    from benchmarks.pocket.sequence.simulate import Acted

MEMBERS, VIEWS, EPOCHS = 3, 4, 8
HIDDEN, BATCH, RATE, DECAY, DROPOUT, NOISE, SMOOTHING = (192, 96), 256, 1.5e-3, 2e-2, 0.35, 0.1, 0.05
DROPPED = 0.1  # of the places of a window, beside those that are missing anyway
DOUBTED = 0.6  # of the windows, whose stills are mixed with a wrong belief
SEED = 0
_STILLS = slice(2 * NUM_JOINTS, 2 * NUM_JOINTS + len(STILLS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """N moments with their windows and labels."""

    rows: NDArray[np.float32]  # (N, F)
    stills: NDArray[np.int64]  # (N,)
    events: NDArray[np.float32]  # (N, E)


def see(acted: Sequence[Acted], errors: Errors, head: PostureHead, *, views: int, seed: int) -> Windows:
    """Describes every moment of some views of each motion, as `head` reads its stills."""
    rows, stills, events = [], [], []
    for number, one in enumerate(acted):
        for which in range(views):
            seen = view(one, errors, seed + number * views + which)
            if seen is None:
                continue
            read = np.concatenate([head.read(keypoints[None]) for keypoints in seen.keypoints])
            rows.append(describe_windows(seen.pts_seconds, seen.keypoints, read))
            stills.append(seen.stills)
            events.append(seen.events)
    return Windows(rows=np.concatenate(rows), stills=np.concatenate(stills), events=np.concatenate(events))


def train_head(windows: Windows, *, device: str = "cpu") -> dict[str, NDArray[np.float32]]:
    """The arrays of a head: ``mean``, ``scale`` and each member's layers."""
    mean, scale = windows.rows.mean(0), windows.rows.std(0) + 1e-2
    arrays = {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
    for member in range(MEMBERS):
        net = _train_one(windows, mean, scale, SEED + member, device)
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        for number, layer in enumerate(linear):
            arrays[f"{member}.{number}.weight"] = layer.weight.detach().cpu().numpy()
            arrays[f"{member}.{number}.bias"] = layer.bias.detach().cpu().numpy()
    return arrays


def _train_one(
    windows: Windows, mean: NDArray[np.float32], scale: NDArray[np.float32], seed: int, device: str
) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = _perceptron(windows.rows.shape[1]).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(windows.rows) // BATCH + 1))
    counts = np.bincount(windows.stills, minlength=len(STILLS)).clip(1)
    weights = torch.from_numpy(((counts.mean() / counts) ** 0.5).clip(0, 3).astype(np.float32)).to(device)
    for _ in range(EPOCHS):
        for chosen in np.array_split(rng.permutation(len(windows.rows)), len(windows.rows) // BATCH + 1):
            rows = _vary(windows.rows[chosen], rng)
            standard = torch.from_numpy(np.clip((rows - mean) / scale, -CLIP, CLIP).astype(np.float32)).to(device)
            logits = net(standard + NOISE * torch.randn_like(standard))
            loss = _loss(logits, windows, chosen, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def _vary(rows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Half of the windows in a mirror, and some places of each forgotten; never the moment itself."""
    turned = rng.random(len(rows)) < 0.5
    out = rows.copy()
    out[turned] = mirror_windows(rows[turned])
    places = out.reshape(len(rows), len(PLACES), PER_PLACE)
    _doubt(places, rng)
    gone = rng.random(places.shape[:2]) < DROPPED
    gone[:, places.shape[1] // 2] = False
    places[gone] = 0
    return out


def mirror_windows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same windows (N, F) seen in a mirror."""
    shaped = rows.reshape(len(rows), len(PLACES), PER_PLACE).copy()
    joints = shaped[..., : 2 * NUM_JOINTS].reshape(*shaped.shape[:2], NUM_JOINTS, 2)[:, :, list(SWAPPED)]
    joints[..., 0] *= -1
    shaped[..., : 2 * NUM_JOINTS] = joints.reshape(*shaped.shape[:2], -1)
    return shaped.reshape(rows.shape)


def _doubt(places: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Makes what stills show (N, W, 34 and on) less sure, as on real pictures: one wrong belief a window, or none."""
    stills = places[..., _STILLS]
    wrong = rng.dirichlet(np.full(len(STILLS), 0.3), len(places)).astype(np.float32)[:, None]
    share = (rng.random((len(places), 1, 1)) ** 2 * (rng.random((len(places), 1, 1)) < DOUBTED)).astype(np.float32)
    stills[:] = (1 - share) * stills + share * wrong * places[..., -1:]


def _loss(logits: torch.Tensor, windows: Windows, chosen: NDArray[np.int64], weights: torch.Tensor) -> torch.Tensor:
    number = len(STILLS)
    truth = torch.from_numpy(windows.stills[chosen]).to(logits.device)
    stills = functional.cross_entropy(logits[:, :number], truth, weights, label_smoothing=SMOOTHING)
    wanted = torch.from_numpy(windows.events[chosen]).to(logits.device)
    sure = (wanted != UNSURE).float()
    each = functional.binary_cross_entropy_with_logits(logits[:, number:], wanted.clamp(0.02, 0.98), reduction="none")
    return stills + 2 * (each * sure).sum() / sure.sum()


def _perceptron(inputs: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for width in HIDDEN:
        layers += [torch.nn.Linear(inputs, width), torch.nn.ReLU(), torch.nn.Dropout(DROPOUT)]
        inputs = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(inputs, len(STILLS) + len(EVENTS)))

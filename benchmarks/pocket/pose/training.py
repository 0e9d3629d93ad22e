"""Trains the pose net for some minutes; what was reached is kept and can be gone on from."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.pocket.pose.augment import augmented
from benchmarks.pocket.pose.losses import pose_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from benchmarks.pocket.pose.net import PoseNet
    from benchmarks.pocket.pose.samples import People

MIN_SIZE = 1e-3
FROZEN = ("Conv1", "|expanded_conv", "|block_1_", "|block_2_")  # edges look alike in all orientations, and cost most


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the net is trained."""

    minutes: float = 27.0  # the sum over all runs that go on from one another
    batch: int = 16
    real: int = 4  # of a batch
    rate: float = 2e-3  # of a tensor's size: MoveNet's normalization is folded into weights of very unequal sizes
    last_rate: float = 4e-5
    warm_steps: int = 60
    averaging: float = 0.995
    pull: float = 3e-3  # of the way back to MoveNet's weights at every step: it has seen more real persons than we have
    save_seconds: float = 75.0
    seed: int = 0
    device: str = "cpu"
    bf16: bool = True  # half the time on processors with AVX512-BF16


def train(
    net: PoseNet,
    rendered: Sequence[People],
    real: People,
    folder: Path,
    plan: Plan,
    on_save: Callable[[PoseNet], None],
) -> PoseNet:
    """Trains a net and gives its averaged weights; goes on from ``last.pt`` in the folder if that is there."""
    device = torch.device(plan.device)
    net.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    origin = [value.detach().clone() for value in net.parameters()]
    optimizer = torch.optim.Adam([{"params": [value], "size": _size(value)} for value in net.parameters()])
    for name, value in net.named_parameters():
        value.requires_grad_(not any(part in name for part in FROZEN))
    state = _restore(folder / "last.pt", net, average, optimizer)
    rng, saved, started = np.random.default_rng([plan.seed, state["step"]]), time.monotonic(), time.monotonic()
    before, losses = state["seconds"], []
    while state["seconds"] < plan.minutes * 60:
        share = state["seconds"] / (plan.minutes * 60)
        batch, rate = draw(rendered, real, rng, plan), _rate(plan, state["step"], share)
        losses.append(_step(net, optimizer, batch, rate, plan))
        _average(net, average, origin, plan)
        state["step"] += 1
        state["seconds"] = before + time.monotonic() - started
        if time.monotonic() - saved > plan.save_seconds:
            saved = time.monotonic()
            _save(folder, net, average, optimizer, state, losses)
            on_save(average)
    _save(folder, net, average, optimizer, state, losses)
    return average


def draw(
    rendered: Sequence[People], real: People, rng: np.random.Generator, plan: Plan
) -> tuple[Tensor, Tensor, Tensor]:
    """Draws a batch: images (N, 3, S, S) in 0..255, joints (N, 17, 2), which are known (N, 17)."""
    chosen = [(real, int(rng.integers(len(real)))) for _ in range(plan.real)]
    for _ in range(plan.batch - plan.real):
        shard = rendered[int(rng.integers(len(rendered)))]
        chosen.append((shard, int(rng.integers(len(shard)))))
    images, joints, known = zip(*(augmented(people, index, rng) for people, index in chosen), strict=True)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return pixels, torch.from_numpy(np.stack(joints)), torch.from_numpy(np.stack(known))


def _step(
    net: PoseNet,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor, Tensor],
    rate: float,
    plan: Plan,
) -> float:
    device = torch.device(plan.device)
    images, joints, known = (part.to(device) for part in batch)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["size"]
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.bf16):
        heads = net.heads(images.contiguous(memory_format=torch.channels_last))
    loss = pose_loss(heads, joints, known)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def _average(net: PoseNet, average: PoseNet, origin: Sequence[Tensor], plan: Plan) -> None:
    """Pulls the net back a little and puts it into the average."""
    with torch.no_grad():
        for value, mean, first in zip(net.parameters(), average.parameters(), origin, strict=True):
            value.lerp_(first, plan.pull)
            mean.lerp_(value, 1 - plan.averaging)


def _size(value: Tensor) -> float:
    return max(float(value.detach().square().mean().sqrt()), MIN_SIZE)


def _rate(plan: Plan, step: int, share: float) -> float:
    cosine = plan.last_rate + (plan.rate - plan.last_rate) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
    return cosine * min(1.0, (step + 1) / plan.warm_steps)


def _restore(path: Path, net: PoseNet, average: PoseNet, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    if not path.is_file():
        return {"step": 0, "seconds": 0.0}
    stored = torch.load(path, weights_only=True)
    net.load_state_dict(stored["net"])
    average.load_state_dict(stored["average"])
    optimizer.load_state_dict(stored["optimizer"])
    return {"step": int(stored["step"]), "seconds": float(stored["seconds"])}


def _save(
    folder: Path,
    net: PoseNet,
    average: PoseNet,
    optimizer: torch.optim.Optimizer,
    state: dict[str, float],
    losses: list[float],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), **state}
    torch.save(parts, folder / "last.tmp")
    (folder / "last.tmp").replace(folder / "last.pt")
    line = {**state, "loss": float(np.mean(losses[-200:]))}
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")

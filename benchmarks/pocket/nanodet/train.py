"""Tunes NanoDet on rendered tiles and labeled real frames, resumable, within a budget of minutes."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from benchmarks.pocket.nanodet.loss import detection_loss
from benchmarks.pocket.nanodet.net import NanoDet, anchors, load, save
from benchmarks.pocket.nanodet.pictures import Labeled, draw, read_folder
from benchmarks.pocket.precision import has_bfloat16

if TYPE_CHECKING:
    from torch import Tensor

SEED = 0
SIZES = (320, 352, 416)
BACKBONE_SHARE = 0.2  # of the rate
WARM_STEPS, FLOOR_RATE, KEEP = 30, 0.02, 0.995
SAVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides a run; `turn` is the share of pictures turned by a quarter."""

    minutes: float
    tiles_a_batch: int = 6
    real_a_batch: int = 6
    rate: float = 2e-4
    turn: float = 0.4
    device: str = "cpu"


class Tuner:
    """One run: a net, its running mean, and where it stands."""

    def __init__(self, start: Path, out: Path, recipe: Recipe) -> None:
        self.recipe, self.out = recipe, out
        self.net = load(start).to(recipe.device).train()
        self.net.stem.requires_grad_(False)
        self.net.stage0.requires_grad_(False)
        self.mean = copy.deepcopy(self.net)
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=0.01)
        self.step, self.spent = 0, 0.0
        self._resume()

    def _groups(self) -> list[dict[str, object]]:
        rate = self.recipe.rate
        quick = [p for part in (self.net.lateral, self.net.towers, self.net.heads) for p in part.parameters()]
        groups = ((quick, rate), (list(self.net.stages.parameters()), rate * BACKBONE_SHARE))
        return [{"params": params, "lr": value, "first": value} for params, value in groups]

    @property
    def _file(self) -> Path:
        return self.out / "checkpoint.pt"

    def _resume(self) -> None:
        if self._file.is_file():
            kept = torch.load(self._file, weights_only=True, map_location=self.recipe.device)
            self.net.load_state_dict(kept["net"])
            self.mean.load_state_dict(kept["mean"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.step, self.spent = kept["step"], kept["spent"]

    def _keep(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        state = {name: getattr(self, name).state_dict() for name in ("net", "mean", "optimizer")}
        torch.save({**state, "step": self.step, "spent": self.spent}, partial)
        partial.replace(self._file)
        save(copy.deepcopy(self.mean).cpu(), self.out / "mean.safetensors")

    def run(self, tiles: Path, real: Path) -> NanoDet:
        """Train until the minutes are spent, all runs together; gives the running mean of the weights."""
        rng = np.random.default_rng(SEED + self.step)
        pools = [read_folder(tiles), read_folder(real)]
        budget, losses, saved = self.recipe.minutes * 60, list[float](), time.monotonic()
        while self.spent < budget:
            began = time.monotonic()
            losses.append(self._train_one(pools, rng, self.spent / budget))
            self.spent += time.monotonic() - began
            if self.step % 20 == 0:
                print(f"{self.step} steps, {self.spent:.0f} s, loss {np.mean(losses[-50:]):.3f}", flush=True)
            if time.monotonic() - saved > SAVE_SECONDS:
                self._keep()
                saved = time.monotonic()
        self._keep()
        return self.mean

    def _train_one(self, pools: list[list[Labeled]], rng: np.random.Generator, done: float) -> float:
        size = int(rng.choice(SIZES))
        pictures, truth = self._batch(pools, size, rng)
        warm = min(1.0, (self.step + 1) / WARM_STEPS)
        factor = warm * (FLOOR_RATE + (1 - FLOOR_RATE) * (1 + np.cos(np.pi * done)) / 2)
        for group in self.optimizer.param_groups:
            group["lr"] = float(group["first"] * factor)
        device = self.recipe.device
        kind = device.split(":")[0]
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or has_bfloat16()):
            logits = self.net(pictures)
        centers, strides = (part.to(device) for part in anchors(size, size))
        loss = detection_loss(logits.float(), truth, centers, strides)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return float(loss.detach())

    def _batch(self, pools: list[list[Labeled]], size: int, rng: np.random.Generator) -> tuple[Tensor, list[Tensor]]:
        numbers = (self.recipe.tiles_a_batch, self.recipe.real_a_batch)
        rows = [pool[i] for pool, n in zip(pools, numbers, strict=True) for i in rng.integers(0, len(pool), n)]
        drawn = [draw(row, size, rng, turn=self.recipe.turn) for row in rows]
        stack = torch.from_numpy(np.stack([image for image, _ in drawn])).permute(0, 3, 1, 2)
        device = self.recipe.device
        return stack.to(device).float() / 255, [torch.from_numpy(boxes).to(device) for _, boxes in drawn]

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(KEEP, (self.step + 1) / (self.step + 10))
        for mean, now in zip(self.mean.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)


def tune(start: Path, tiles: Path, real: Path, out: Path, recipe: Recipe, threads: int) -> Path:
    """Tune and write mean.safetensors; gives its path."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(SEED)
    Tuner(start, out, recipe).run(tiles, real)
    return out / "mean.safetensors"

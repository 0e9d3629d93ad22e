"""A time budget with a learning rate, and a check-point that a later run picks up."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass
class Progress:
    """Where a training stands: seconds used of its budget, steps and images seen, in all runs together."""

    seconds: float
    used: float = 0.0
    steps: int = 0
    seen: int = 0
    _mark: float = field(default_factory=time.monotonic)
    _logged: float = 0.0
    _saved: float = 0.0

    @property
    def fraction(self) -> float:
        return min(self.used / self.seconds, 1.0)

    @property
    def done(self) -> bool:
        return self.used >= self.seconds

    def rate(self, peak: float, *, warm: int = 40) -> float:
        """Cosine learning rate over the time budget, with a short rise."""
        return peak * min(1.0, (self.steps + 1) / warm) * (0.5 * (1 + math.cos(math.pi * self.fraction)) * 0.99 + 0.01)

    def start(self) -> None:
        """Forget the time that preparations took."""
        self._mark = time.monotonic()

    def advance(self, count: int) -> None:
        """Count one step of `count` images."""
        now = time.monotonic()
        self.used, self._mark = self.used + now - self._mark, now
        self.steps, self.seen = self.steps + 1, self.seen + count

    def due(self, what: str, every: float) -> bool:
        """Whether `every` seconds went by since this was last due ("logged" or "saved")."""
        name = f"_{what}"
        if self.used - getattr(self, name) < every:
            return False
        setattr(self, name, self.used)
        return True


def save_checkpoint(path: Path, progress: Progress, **parts: Any) -> None:
    """Write modules and optimizers, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    state["progress"] = {"used": progress.used, "steps": progress.steps, "seen": progress.seen}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def load_checkpoint(path: Path, progress: Progress, **parts: Any) -> bool:
    """Take up an earlier run; our own file, read with `weights_only`."""
    if not path.exists():
        return False
    state = torch.load(path, weights_only=True, map_location="cpu")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    progress.used, progress.steps, progress.seen = (state["progress"][key] for key in ("used", "steps", "seen"))
    return True


def save_half(model: Any, folder: Path) -> None:
    """Write a transformers model in half precision, and say so in its configuration."""
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=2), encoding="utf-8")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor, parameters: list[nn.Parameter]) -> None:
    """One clipped optimizer step."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()

"""Rendered crops in memory: shards as they arrive, labels, joints and augmentation."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.pocket.tokens import IMAGE_SIZE
from benchmarks.rendered.captions import BEHAVIORS, COLORS, PERSONS

LABELS = {
    "behavior": len(BEHAVIORS),
    "upper": len(COLORS),
    "lower": len(COLORS),
    "shoes": len(COLORS),
    "hat": len(COLORS) + 1,
    "bag": len(COLORS) + 1,
    "person": len(PERSONS),
}
MISSING = -100
_FLIPPED = [0, 1, *(joint for pair in range(2, 16, 2) for joint in (pair + 1, pair))]


def _color(part: dict[str, Any] | None, absent: int) -> int:
    color = part and part.get("color")
    return COLORS.index(color) if color in COLORS else (absent if not part else MISSING)


def label_row(row: dict[str, Any]) -> list[int]:
    """The class numbers of one row, in the order of LABELS; MISSING where it has none."""
    persons = list(PERSONS)
    parts = {"upper": MISSING, "lower": MISSING, "shoes": MISSING, "hat": len(COLORS), "bag": len(COLORS)}
    return [
        BEHAVIORS.index(row["behavior"]),
        *(_color(row.get(part), absent) for part, absent in parts.items()),
        persons.index(row["person"]) if row["person"] in persons else MISSING,
    ]


@dataclass
class Crops:
    """All complete shards of one split; `refresh` takes in those that arrived since."""

    folder: Path
    split: str
    keep_held_out: bool = True
    images: Tensor = field(default_factory=lambda: torch.empty(0, 3, 160, 160, dtype=torch.uint8))  # N,3,H,W
    rows: list[dict[str, Any]] = field(default_factory=list)
    labels: Tensor = field(default_factory=lambda: torch.empty(0, len(LABELS), dtype=torch.long))  # N,L
    joints: Tensor = field(default_factory=lambda: torch.empty(0, 16, 2))  # N,J,2 in 0..1
    shards: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def refresh(self, limit: int | None = None) -> bool:
        """Load the shards that are complete and new; returns whether there were any."""
        found = sorted(path.parent for path in self.folder.glob(f"{self.split}-*/rows.jsonl"))
        new = [path for path in found if path.name not in self.shards][: limit or None]
        loaded = [self._read(path) for path in new]
        if loaded:
            self.images = torch.cat([self.images, *(images for images, _ in loaded)])
            self.rows += [row for _, rows in loaded for row in rows]
            self.labels = torch.tensor([label_row(row) for row in self.rows])
            joints = np.array([row["joints_xy"] for row in self.rows], np.float32)
            self.joints = torch.from_numpy(joints) / (self.images.shape[-1] if np.median(joints) > 2 else 1)
        return bool(loaded)

    def _read(self, path: Path) -> tuple[Tensor, list[dict[str, Any]]]:
        rows = [json.loads(line) for line in (path / "rows.jsonl").read_text(encoding="utf-8").splitlines() if line]
        images = np.load(path / "images.npy", mmap_mode="r")
        keep = [
            number
            for number, row in enumerate(rows)
            if row["behavior"] in BEHAVIORS and (self.keep_held_out or not row.get("held_out"))
        ]
        self.shards.append(path.name)
        chosen = torch.from_numpy(np.ascontiguousarray(images[keep])).permute(0, 3, 1, 2).contiguous()
        return chosen, [rows[number] for number in keep]


def prepare(images: Tensor) -> Tensor:
    """What the image processor does: squeeze N,3,H,W bytes to the model's size, values in -1..1."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return functional.interpolate(images.float(), size=size, mode="bilinear", antialias=True) / 127.5 - 1


def augment(images: Tensor, joints: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut, mirror, dim, blur and cover crops without touching their colors' names.

    Args:
        images: N,3,H,W bytes.
        joints: N,J,2 in 0..1.
        rng: Source of chance.

    Returns:
        N,3,S,S values about -1..1 and the joints as they lie afterwards.
    """
    side = images.shape[-1]
    width, height = (int(rng.integers(int(0.78 * side), side + 1)) for _ in range(2))
    left, top = int(rng.integers(0, side - width + 1)), int(rng.integers(0, side - height + 1))
    cut = images[:, :, top : top + height, left : left + width].float()
    if rng.random() < 0.25:
        small = int(rng.integers(40, 90))
        cut = functional.interpolate(cut, size=(small, small), mode="bilinear", antialias=True)
    pixels = functional.interpolate(cut, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear") / 127.5 - 1
    moved = (joints * side - torch.tensor([left, top])) / torch.tensor([width, height])
    half = len(images) // 2
    pixels[:half] = pixels[:half].flip(3)
    moved[:half] = moved[:half][:, _FLIPPED]
    moved[:half, :, 0] = 1 - moved[:half, :, 0]
    gain = torch.from_numpy(rng.uniform(0.75, 1.25, (len(images), 1, 1, 1))).float()
    shift = torch.from_numpy(rng.uniform(-0.15, 0.15, (len(images), 1, 1, 1))).float()
    return _cover(pixels * gain + shift, rng), moved


def _cover(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    for number in rng.integers(0, len(pixels), len(pixels) // 6):
        height, width = rng.integers(8, 36, 2)
        top, left = rng.integers(0, IMAGE_SIZE - height), rng.integers(0, IMAGE_SIZE - width)
        pixels[number, :, top : top + height, left : left + width] = float(rng.uniform(-1, 1))
    return pixels

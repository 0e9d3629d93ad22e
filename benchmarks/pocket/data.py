"""Crops in memory: shards as they arrive, labels, joints and augmentation."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.pocket.tokens import IMAGE_SIZE
from benchmarks.rendered.appearance import LOWER_KINDS, UPPER_KINDS
from benchmarks.rendered.backdrop import GROUNDS
from benchmarks.rendered.captions import BEHAVIORS, COLORS, PERSONS

CLASSES: dict[str, tuple[str, ...]] = {
    "behavior": BEHAVIORS,
    "upper": COLORS,
    "lower": COLORS,
    "shoes": COLORS,
    "hat": (*COLORS, "none"),
    "bag": (*COLORS, "none"),
    "person": tuple(PERSONS),
    "upper_kind": tuple(UPPER_KINDS),
    "lower_kind": tuple(LOWER_KINDS),
    "hair": ("short", "long", "bald", "tied back"),
    "place": tuple(GROUNDS),
    "night": ("False", "True"),
}
LABELS = {name: len(classes) for name, classes in CLASSES.items()}
MISSING = -100
JOINTS = 16
COLOR_COLUMNS = [name in ("upper", "lower", "shoes", "hat", "bag") for name in LABELS]
_COLORED = [number for number, colored in enumerate(COLOR_COLUMNS) if colored]
_OTHER_CHANNELS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
_FLIPPED = [0, 1, *(joint for pair in range(2, JOINTS, 2) for joint in (pair + 1, pair))]


def label_row(row: dict[str, Any]) -> list[int]:
    """The class numbers of one row, in the order of LABELS; MISSING where it says nothing."""
    said = {name: row.get(name) for name in ("behavior", "person", "hair", "place")} | {"night": str(row.get("night"))}
    said |= {part: _part(row, part, "color") for part in ("upper", "lower", "shoes", "hat", "bag")}
    said |= {f"{part}_kind": _part(row, part, "kind") for part in ("upper", "lower")}
    return [classes.index(word) if (word := said[name]) in classes else MISSING for name, classes in CLASSES.items()]


def _part(row: dict[str, Any], part: str, what: str) -> str | None:
    if row.get(part):
        return str(row[part].get(what))
    return "none" if part in ("hat", "bag") and not row.get("real") else None


@dataclass
class Crops:
    """All complete shards of one split; `refresh` takes in those that arrived since."""

    folder: Path
    split: str
    keep_held_out: bool = True
    images: Tensor = field(default_factory=lambda: torch.empty(0, 3, 160, 160, dtype=torch.uint8))  # N,3,H,W
    rows: list[dict[str, Any]] = field(default_factory=list)
    labels: Tensor = field(default_factory=lambda: torch.empty(0, len(LABELS), dtype=torch.long))  # N,L
    joints: Tensor = field(default_factory=lambda: torch.empty(0, JOINTS, 2))  # N,J,2 in 0..1, NaN where unknown
    shards: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def real(self) -> list[int]:
        """Numbers of the crops that a camera took."""
        return [number for number, row in enumerate(self.rows) if row.get("real")]

    def refresh(self, limit: int | None = None) -> bool:
        """Load the shards that are complete and new; returns whether there were any."""
        found = sorted(path.parent for path in self.folder.glob(f"{self.split}-*/rows.jsonl"))
        new = [path for path in found if path.name not in self.shards][: limit or None]
        loaded = [self._read(path) for path in new]
        if loaded:
            self.images = torch.cat([self.images, *(images for images, _ in loaded)])
            rows = [row for _, shard in loaded for row in shard]
            self.rows += rows
            self.labels = torch.cat([self.labels, torch.tensor([label_row(row) for row in rows])])
            unknown = [[float("nan")] * 2] * JOINTS
            self.joints = torch.cat([self.joints, torch.tensor([row.get("joints_xy") or unknown for row in rows])])
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


def prepare(images: Tensor, size: int = IMAGE_SIZE) -> Tensor:
    """What the image processor does: squeeze N,3,H,W bytes to the model's size, values in -1..1."""
    return functional.interpolate(images.float(), size=(size, size), mode="bilinear", antialias=True) / 127.5 - 1


def repaint(
    images: Tensor, joints: Tensor, labels: Tensor, rng: np.random.Generator, share: float = 0.4
) -> tuple[Tensor, Tensor]:
    """Change the colors of some crops, wholly or from the hips down, so that no color goes with a behavior.

    Args:
        images: N,3,H,W bytes.
        joints: N,J,2 in 0..1, NaN where unknown.
        labels: N,L of LABELS.
        rng: Source of chance.
        share: Share of the crops that change.

    Returns:
        Crops and labels, MISSING for colors that no longer hold.
    """
    images, labels = images.clone(), labels.clone()
    for number in np.flatnonzero(rng.random(len(images)) < share):
        shoulders, hips = joints[number, 2:4, 1], joints[number, 8:10, 1]
        upright = bool(hips.min() - shoulders.max() > 0.12)  # False where joints are unknown
        top = int(images.shape[2] * (hips.max().item() + 0.03)) if upright and rng.random() < 0.5 else 0
        piece = images[number, :, top:]
        if rng.random() < 0.25:
            images[number, :, top:] = piece.float().mean(0).byte()
        else:
            images[number, :, top:] = piece[list(_OTHER_CHANNELS[rng.integers(len(_OTHER_CHANNELS))])]
        labels[number, _COLORED[1:] if top else _COLORED] = MISSING
    return images, labels


def augment(images: Tensor, joints: Tensor, rng: np.random.Generator, size: int = IMAGE_SIZE) -> tuple[Tensor, Tensor]:
    """Move, turn, mirror, dim, blur and cover crops without touching their colors' names.

    Args:
        images: N,3,H,W bytes.
        joints: N,J,2 in 0..1.
        rng: Source of chance.
        size: Side S of the result.

    Returns:
        N,3,S,S values about -1..1 and the joints as they lie afterwards.
    """
    count = len(images)
    turns, shifts, flips = _draw_views(count, rng)
    grid = functional.affine_grid(
        torch.cat([turns, shifts[:, :, None]], 2), [count, 3, size, size], align_corners=False
    )
    pixels = functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=False) / 127.5 - 1
    moved = torch.linalg.solve(turns, (2 * joints - 1 - shifts[:, None]).transpose(1, 2)).transpose(1, 2) / 2 + 0.5
    moved[flips] = moved[flips][:, _FLIPPED]
    if rng.random() < 0.25:
        small = int(rng.integers(40, 90))
        pixels = functional.interpolate(pixels, size=(small, small), mode="bilinear", antialias=True)
        pixels = functional.interpolate(pixels, size=(size, size), mode="bilinear")
    gain = torch.from_numpy(rng.uniform(0.75, 1.25, (count, 1, 1, 1)) * rng.uniform(0.95, 1.05, (count, 3, 1, 1)))
    shift = torch.from_numpy(rng.uniform(-0.15, 0.15, (count, 1, 1, 1)))
    return _cover(pixels * gain.float() + shift.float(), rng), moved


def _draw_views(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Output to input coordinates in -1..1: N,2,2 and N,2; and which are mirrored."""
    share = rng.uniform(0.76, 1.04, count)
    stretch, angle = rng.uniform(0.93, 1.07, count), np.radians(rng.normal(0, 4, count).clip(-9, 9))
    flips = rng.random(count) < 0.5
    wide, tall = share * stretch * np.where(flips, -1, 1), share / stretch
    turns = np.stack(
        [[wide * np.cos(angle), -tall * np.sin(angle)], [wide * np.sin(angle), tall * np.cos(angle)]]
    ).transpose(2, 0, 1)
    shifts = rng.uniform(-1, 1, (count, 2)) * np.maximum(0.03, 1 - share)[:, None]
    return torch.from_numpy(turns).float(), torch.from_numpy(shifts).float(), torch.from_numpy(flips)


def _cover(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    size = pixels.shape[-1]
    for number in rng.integers(0, len(pixels), len(pixels) // 6):
        height, width = rng.integers(size // 16, size // 4, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        pixels[number, :, top : top + height, left : left + width] = float(rng.uniform(-1, 1))
    return pixels

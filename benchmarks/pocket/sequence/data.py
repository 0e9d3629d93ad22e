"""Acted motions on disk, in resumable pieces."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.pocket.sequence.simulate import Acted, act

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.rendered.body import BodySet

PIECE = 100  # motions of a file
FIRST_SEED = {"train": 50_000_000, "validation": 60_000_000, "test": 70_000_000}


def write_acted(bodies: BodySet, folder: Path, split: str, piece: int) -> bool:
    """Writes one piece unless it is there; True if it was made."""
    path = folder / f"{split}-{piece:04d}.npz"
    if path.is_file():
        return False
    first = FIRST_SEED[split] + piece * PIECE
    acted = [act(bodies, split, first + number) for number in range(PIECE)]
    arrays = {f.name: np.concatenate([getattr(one, f.name) for one in acted]) for f in fields(Acted)}
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, lengths=np.array([len(one.pts_seconds) for one in acted]), **arrays)
    partial.replace(path)
    return True


def read_acted(folder: Path, split: str) -> list[Acted]:
    """Reads all motions of a split."""
    out = []
    for path in sorted(folder.glob(f"{split}-[0-9][0-9][0-9][0-9].npz")):
        with np.load(path) as stored:
            ends = np.cumsum(stored["lengths"])[:-1]
            parts = {f.name: np.split(stored[f.name], ends) for f in fields(Acted)}
        out += [Acted(**{name: values[k] for name, values in parts.items()}) for k in range(len(ends) + 1)]
    return out

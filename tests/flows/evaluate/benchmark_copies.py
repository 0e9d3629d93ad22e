"""Small copies of benchmarks in PAB's layouts, of colored pictures that the stand-in models know."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.fakes import COLORS

TEXTS = (
    "a person in a red coat walking",
    "a person in a green coat walking",
    "a person in a blue coat walking",
    "a person in a red coat falling",
    "a person in a green coat lying on the ground",
)
PAINTED = ("red", "green", "blue", "red", "green")


def paint(path: Path, color: str, number: int) -> None:
    """Writes a gray picture with a block of a color, without loss whatever the suffix; the number sets its width."""
    image = np.full((40, 32, 3), 90, np.uint8)
    image[8:34, 8 : 20 + number % 8] = COLORS[color]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image[:, :, ::-1])[1].tobytes())


def rows_of(**more: Sequence[Any]) -> list[dict[str, Any]]:
    """Builds the five rows, with further keys."""
    return [
        {"image": f"test/{number}.jpg", "image_id": number, "caption": text}
        | {key: values[number] for key, values in more.items()}
        for number, text in enumerate(TEXTS)
    ]


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_copy(root: Path, rows: Sequence[Mapping[str, Any]] | None = None, split: str = "test") -> Path:
    """Writes a copy of PAB with five pictures; gives its annotation file."""
    for number, color in enumerate(PAINTED):
        paint(root / f"test/{number}.jpg", color, number)
    return write_lines(root / f"annotation/{split}/attr.json", rows_of() if rows is None else rows)


def write_challenge(root: Path, texts: str, index: Sequence[str] = ("q3", "q1")) -> Path:
    """Writes a copy of the 2026 challenge with five pictures and two queries."""
    for number, color in enumerate(PAINTED):
        paint(root / f"gallery/g{number}.jpg", color, number)
    (root / "query_index.txt").write_text("".join(f"{name}\n" for name in index))
    (root / "query_text.json").write_text(texts)
    return root

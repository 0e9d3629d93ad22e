"""Contact sheets, the only judge of whether a person looks like one: to be looked at after every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from benchmarks.rendered.appearance import COLORS
from benchmarks.rendered.behavior import BEHAVIORS
from benchmarks.rendered.crops import SIZE_PX, draw, render_crop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.rendered.body import BodySet

FIRST_SEED = 90_000_000
COLUMNS = 8


def write_sheets(bodies: BodySet, out: Path, archive: Path | None) -> None:
    """Write behaviors.png and appearance.png, and archive.png where an archive is given."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "behaviors.png", [_row(bodies, b, k) for k, b in enumerate(BEHAVIORS)])
    _write(out / "appearance.png", [_row(bodies, "standing", 100 + k) for k in range(len(COLORS))])
    if archive is not None:
        _write(out / "archive.png", [_strip(p) for p in sorted(archive.rglob("*.mp4"))])


def _row(bodies: BodySet, behavior: str, number: int) -> NDArray[np.uint8]:
    made: list[NDArray[np.uint8]] = []
    seed = FIRST_SEED + number * 1000
    while len(made) < COLUMNS:
        seed += 1
        crop = render_crop(bodies, draw(bodies, "validation", seed, behavior))
        if crop is None:
            continue
        image = np.ascontiguousarray(crop[0])
        words = f"{crop[1]['upper']['color']} {crop[1]['upper']['kind']}, {crop[1]['lower']['color']}"
        cv2.putText(image, behavior, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 40, 40), 1)
        cv2.putText(image, words, (2, SIZE_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255, 40, 40), 1)
        made.append(image)
    return np.concatenate(made, 1)


def _strip(video: Path, frames: int = 8, width: int = 320) -> NDArray[np.uint8]:
    with av.open(str(video)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    chosen = [pictures[k] for k in np.linspace(0, len(pictures) - 1, frames).astype(int)]
    height = width * chosen[0].shape[0] // chosen[0].shape[1]
    return np.concatenate([cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in chosen], 1)


def _write(path: Path, rows: Sequence[NDArray[np.uint8]]) -> None:
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])

"""What the tests of exports share: a video in which a blurred person differs, and how an export is read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from anomalylmm.records import Image
from tests.fakes import draw


def draw_stripes(blocks: Sequence[tuple[str, float, float]], at: float, seconds: float) -> Image:
    """Draws ``write_video``'s blocks with stripes, so that a blurred one differs."""
    image = draw(blocks, at, seconds)
    dark = (np.ptp(image, axis=2) > 0) & (np.arange(image.shape[1]) // 4 % 2 == 0)
    image[dark] //= 2
    return image


def read_hit(folder: Path) -> dict[str, Any]:
    (hit,) = json.loads((folder / "hits.json").read_text())["hits"]
    return dict(hit)


def frames_of(path: Path) -> list[Image]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

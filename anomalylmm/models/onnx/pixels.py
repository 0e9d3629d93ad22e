"""Scales pictures as the processors of transformers do, without torch: the same pixels to the last bit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Floats, Image

BILINEAR = 2  # PIL's number
MAX_WEIGHT_BITS, MAX_BITS = 15, 22


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelReader:
    """Turns pictures of any size into the pixels that a model takes."""

    height: int
    width: int
    mean: tuple[float, float, float]  # of pixels from 0 to 255
    spread: tuple[float, float, float]

    @classmethod
    def of(cls, weights: ResolvedWeights) -> Self:
        """Reads a model's ``processor_config.json``.

        Raises:
            WeightsError: Its processor does more than scale pictures to one size by bilinear interpolation.
        """
        path = weights.path / "processor_config.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["image_processor"]
            size, factor = found["size"], 1 / found["rescale_factor"]
            mean, spread = (tuple(factor * value for value in found[name]) for name in ("image_mean", "image_std"))
            height, width = int(size["height"]), int(size["width"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path} does not describe how pictures are scaled: {error!r}") from error
        wanted = {"do_resize": True, "do_rescale": True, "do_normalize": True, "do_center_crop": False}
        if found.get("resample") != BILINEAR or any(found.get(name) != value for name, value in wanted.items()):
            raise WeightsError(f'{path} asks for more than scaling; set runtime = "torch" for this model')
        return cls(height=height, width=width, mean=mean, spread=spread)

    def read(self, images: Sequence[Image]) -> Floats:
        """Scales N RGB pictures; shape (N, 3, height, width)."""
        pixels = np.empty((len(images), 3, self.height, self.width), np.float32)
        for number, image in enumerate(images):
            pixels[number] = resize(image, self.height, self.width)
        mean, spread = (np.array(values, np.float32)[:, None, None] for values in (self.mean, self.spread))
        return np.asarray((pixels - mean) / spread, np.float32)


def resize(image: Image, height: int, width: int) -> NDArray[np.uint8]:
    """Scales an RGB picture (H, W, 3) with antialiasing; shape (3, height, width).

    The bytes are those of torch's bilinear interpolation on processors with AVX2: pixels are summed with whole weights,
    and rounded after each of the two directions.
    """
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    if planes.shape[2] != width:
        planes = _shrink(planes, width)
    if planes.shape[1] != height:
        planes = _shrink(planes.transpose(0, 2, 1), height).transpose(0, 2, 1)
    return planes


def _shrink(planes: NDArray[np.uint8], wanted: int) -> NDArray[np.uint8]:
    """Scales the last side of (3, H, W) bytes; not by BLAS, whose threads would wait for each other."""
    places, weights, bits = _taps(planes.shape[2], wanted)
    wide = planes.astype(np.int32)
    sums = np.full((*planes.shape[:2], wanted), 1 << (bits - 1), np.int32)
    for place, weight in zip(places, weights, strict=True):
        sums += wide[:, :, place] * weight
    return np.asarray(np.clip(sums >> bits, 0, 255), np.uint8)


@lru_cache(maxsize=1024)
def _taps(size: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.int32], int]:
    """Which of ``size`` pixels make each of ``wanted`` ones, with which whole weights of how many bits; (taps, wanted).

    The sums fit 32 bits, since weights have at most 22 and bytes 8.
    """
    scale = size / wanted
    support = max(scale, 1.0)
    centers = scale * (np.arange(wanted) + 0.5)
    first = np.maximum((centers - support + 0.5).astype(int), 0)
    last = np.minimum((centers + support + 0.5).astype(int), size)
    places = first + np.arange((last - first).max())[:, None]  # taps, wanted
    shares = np.maximum(1 - np.abs((places - centers + 0.5) / support), 0) * (places < last)
    shares /= shares.sum(axis=0)
    largest, bits = shares.max(), 0
    while bits < MAX_BITS and int(0.5 + largest * (1 << (bits + 1))) < 1 << MAX_WEIGHT_BITS:
        bits += 1
    weights = np.floor(shares * (1 << bits) + 0.5).astype(np.int32)
    return np.minimum(places, size - 1), weights, bits

"""The limit on an image's pixels, with each family's own processor."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from transformers import (
    CLIPImageProcessor,
    GotOcr2ImageProcessor,
    LlavaNextImageProcessor,
    Qwen2VLImageProcessor,
    SiglipImageProcessor,
    SmolVLMImageProcessor,
)

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.hub.image_budget import limit_pixels

IMAGE = np.zeros((600, 500, 3), np.uint8)


def pixels_of(images: Any, limit: int | None) -> int:
    """Pixels that the model is given of one image."""
    limit_pixels(SimpleNamespace(image_processor=images), limit)
    values = images(images=[IMAGE], return_tensors="pt")["pixel_values"]
    if isinstance(images, Qwen2VLImageProcessor):
        return len(values) * images.patch_size**2
    return values[..., 0, :, :].numel()


def test_qwen_gets_at_most_the_pixels_allowed() -> None:
    assert pixels_of(Qwen2VLImageProcessor(), 50_000) <= 50_000 < pixels_of(Qwen2VLImageProcessor(), None)


def test_tiles_are_as_many_as_fit_and_at_least_one() -> None:
    tile = 364 * 364
    assert pixels_of(SmolVLMImageProcessor(), None) == 17 * tile
    assert pixels_of(SmolVLMImageProcessor(), 4 * tile) == 5 * tile  # and the overview
    assert pixels_of(SmolVLMImageProcessor(), 10) == tile
    tile = 384 * 384
    assert pixels_of(GotOcr2ImageProcessor(crop_to_patches=True), 10) == tile
    assert pixels_of(GotOcr2ImageProcessor(crop_to_patches=True), 2 * tile) <= 3 * tile


@pytest.mark.parametrize("images", [SiglipImageProcessor(), CLIPImageProcessor()])
def test_images_of_fixed_size_need_no_limit_that_is_larger(images: Any) -> None:
    assert pixels_of(images, 224 * 224) == 224 * 224
    with pytest.raises(ConfigurationError, match="224x224"):
        pixels_of(images, 1000)


def test_what_cant_be_limited_is_named() -> None:
    with pytest.raises(ConfigurationError, match="LlavaNextImageProcessor"):
        pixels_of(LlavaNextImageProcessor(), 100_000)
    with pytest.raises(ConfigurationError, match="one image token takes 784"):
        pixels_of(Qwen2VLImageProcessor(), 100)

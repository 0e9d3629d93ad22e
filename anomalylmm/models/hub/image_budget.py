"""Limits the pixels, and so the tokens, that a processor makes of one image; knows each family's own knobs."""

import math
from typing import Any

from anomalylmm.errors import ConfigurationError


def limit_pixels(processor: Any, max_pixels: int | None) -> None:
    """Sets a processor so that one image gives the model at most about ``max_pixels`` pixels.

    Qwen-VL families resize freely and are given the number itself; Idefics3 and SmolVLM cut a resized image into
    tiles, InternVL cuts it into tiles at once: they are given the number of tiles that fits, at least one. Families
    that make every image the same size need no limit.

    Raises:
        ConfigurationError: The family can't be limited, or not that far.
    """
    if max_pixels is None:
        return
    images = processor.image_processor
    if hasattr(images, "merge_size") and images.size["shortest_edge"]:
        _limit_free(images, max_pixels)
    elif hasattr(images, "do_image_splitting"):
        _limit_split(images, max_pixels)
    elif hasattr(images, "crop_to_patches"):
        images.max_patches = max(1, max_pixels // (images.size["height"] * images.size["width"]))
        images.min_patches = min(images.min_patches, images.max_patches)
        images.crop_to_patches = images.crop_to_patches and images.max_patches > 1
    else:
        _check_fixed(images, max_pixels)


def _limit_free(images: Any, max_pixels: int) -> None:
    """Qwen-VL: its "edges" are numbers of pixels."""
    from transformers.image_utils import SizeDict

    least = (images.patch_size * images.merge_size) ** 2  # one token
    if max_pixels < least:
        raise ConfigurationError(f"max_pixels is {max_pixels}, but one image token takes {least}; set it higher")
    shortest = min(images.size["shortest_edge"], max_pixels)
    images.size = SizeDict(shortest_edge=shortest, longest_edge=max_pixels)


def _limit_split(images: Any, max_pixels: int) -> None:
    """Idefics3, SmolVLM: an image is resized to a longest edge, then cut into tiles, unless one tile is enough."""
    from transformers.image_utils import SizeDict

    tile = images.max_image_size["longest_edge"]
    edge = max(1, math.isqrt(max_pixels) // tile) * tile
    images.size = SizeDict(longest_edge=min(edge, images.size["longest_edge"]))
    images.do_image_splitting = images.do_image_splitting and edge > tile


def _check_fixed(images: Any, max_pixels: int) -> None:
    size = getattr(images, "crop_size", None) or images.size
    pixels = (size["height"] or 0) * (size["width"] or 0)
    if hasattr(images, "image_grid_pinpoints") or not pixels:
        raise ConfigurationError(f"{type(images).__name__} takes no limit on an image's pixels; leave max_pixels out")
    if pixels > max_pixels:
        raise ConfigurationError(
            f"max_pixels is {max_pixels}, but {type(images).__name__} makes every image {size['width']}x"
            f"{size['height']}; leave it out"
        )

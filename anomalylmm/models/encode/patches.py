"""Brings the patches of a dual encoder's image into the space of its sentences."""

from typing import Any

import torch
from torch import Tensor

from anomalylmm.errors import ConfigurationError


def patch_vectors(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Vectors of the patches of N images in the joint space; shape (N, rows, columns, D), not of unit length.

    Each patch alone takes its family's way to the pooled vector. An attention-pooling head (SigLIP) gives a single
    patch all its weight. Of CLIP's last layer only the value path is kept, as in MaskCLIP (Zhou et al., 2022). Another
    tower's pooler sees the patch in place of its summary token. A convolution's map needs only the projection.

    Raises:
        ConfigurationError: The tower has no patches that can be told apart.
    """
    tower = getattr(model, "vision_model", None)
    if tower is None:
        raise ConfigurationError(f"{type(model).__name__} has no vision tower with patches; set rerank.focus = false")
    if hasattr(tower, "head"):
        return _through_pooling_head(tower, inputs)
    if hasattr(tower, "post_layernorm") and hasattr(model, "visual_projection"):
        return model.visual_projection(_clip_values(tower, inputs))
    return _through_pooler(model, tower, inputs)


def _through_pooling_head(tower: Any, inputs: dict[str, Tensor]) -> Tensor:
    hidden = tower(**inputs).last_hidden_state  # N,P,D
    pooled = tower.head(hidden.flatten(0, 1).unsqueeze(1))  # N*P,D: a sequence of one patch each
    return as_grid(pooled.unflatten(0, hidden.shape[:2]), tower, inputs)


def _clip_values(tower: Any, inputs: dict[str, Tensor]) -> Tensor:
    layer = tower.encoder.layers[-1]
    before = tower(**inputs, output_hidden_states=True).hidden_states[-2]  # N,1+P,D: what the last layer sees
    attention = layer.self_attn
    values = attention.out_proj(attention.v_proj(layer.layer_norm1(before)))
    return tower.post_layernorm(as_grid(values, tower, inputs))


def _through_pooler(model: Any, tower: Any, inputs: dict[str, Tensor]) -> Tensor:
    hidden = tower(**inputs).last_hidden_state
    projection = getattr(model, "visual_projection", torch.nn.Identity())
    if hidden.ndim == 4:  # N,D,rows,columns of a convolution
        return projection(hidden.permute(0, 2, 3, 1))
    pooler = getattr(tower, "pooler", None)
    grid = as_grid(hidden, tower, inputs)  # N,rows,columns,D
    if pooler is None:
        return projection(grid)
    pooled = pooler(grid.flatten(0, 2).unsqueeze(1))  # a sequence whose first token is the patch
    return projection(pooled.unflatten(0, (-1, *grid.shape[1:3])))


def as_grid(tokens: Tensor, tower: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Lays N,P,D tokens out as N,rows,columns,D, without the summary tokens at their head.

    Raises:
        ConfigurationError: The number of tokens does not fit the image's size (images of free size among them).
    """
    patch = tower.config.patch_size
    patch_height, patch_width = (patch, patch) if isinstance(patch, int) else patch
    pixels = inputs["pixel_values"]
    if pixels.ndim != 4:
        raise ConfigurationError("the encoder cuts images into patches of free layout; set rerank.focus = false")
    rows, columns = pixels.shape[-2] // patch_height, pixels.shape[-1] // patch_width
    extra = tokens.shape[1] - rows * columns
    if extra < 0:
        raise ConfigurationError(f"the encoder gives {tokens.shape[1]} tokens for {rows}x{columns} patches")
    return tokens[:, extra:].unflatten(1, (rows, columns))

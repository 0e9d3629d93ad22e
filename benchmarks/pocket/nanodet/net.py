"""NanoDet-g for one class: a CSP backbone, a pyramid of bilinear resizes and a head with a tower a level.

NanoDet is by RangiLyu (Apache-2.0). Batch norm is folded in the weights that training starts from, so every layer is a
convolution with a bias, then LeakyReLU. Shapes: N pictures, A anchors of all levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from pathlib import Path

STRIDES = (8, 16, 32)
BINS = 11  # a box side is a distribution over 0..10 strides
OUTPUTS = 1 + 4 * BINS
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)
SLOPE = 0.1


def conv(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and LeakyReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.LeakyReLU(SLOPE))


class Halves(nn.Module):
    """Two convolutions of half the width, one after the other, both kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width // 2), conv(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        x = self.first(x)
        return torch.cat((self.second(x), x), 1)


class Stage(nn.Module):
    """A cross-stage-partial block that doubles the width."""

    def __init__(self, width: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.enter = conv(width, width, stride=stride)
        self.blocks = nn.Sequential(*(Halves(width) for _ in range(blocks)))
        self.leave = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the channels."""
        x = self.enter(x)
        return torch.cat((self.leave(self.blocks(x)), x), 1)


class NanoDet(nn.Module):
    """Pictures (N, 3, H, W), RGB 0..1, sides divisible by 32, to logits (N, A, 1 + 4 * BINS)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 32, stride=2)
        self.stage0 = Stage(32, 1, 1)
        self.stages = nn.ModuleList([Stage(64, 2, 2), Stage(128, 2, 2), Stage(256, 3, 2)])
        self.lateral = nn.ModuleList([nn.Conv2d(width, 128, 1) for width in (128, 256, 512)])
        self.towers = nn.ModuleList([conv(128, 128) for _ in STRIDES])
        self.heads = nn.ModuleList([nn.Conv2d(128, OUTPUTS, 1) for _ in STRIDES])
        for name, values in (("mean", MEAN_RGB), ("std", STD_RGB)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1) / 255, persistent=False)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Logits of each level, (N, 1 + 4 * BINS, H / stride, W / stride)."""
        x = ((x - self.mean) / self.std).flip(1)  # the start weights read BGR
        x = self.stage0(functional.max_pool2d(self.stem(x), 3, 2, 1))
        found = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            found.append(lateral(x))
        low, middle, high = found
        middle = middle + _resized(high, 2.0)
        low = low + _resized(middle, 2.0)
        middle = middle + _resized(low, 0.5)
        high = high + _resized(middle, 0.5)
        maps = zip(self.heads, self.towers, (low, middle, high), strict=True)
        return [head(tower(level)) for head, tower, level in maps]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all anchors, finest level first."""
        return torch.cat([level.flatten(2).transpose(1, 2) for level in self.levels(x)], 1)

    def convolutions(self) -> list[nn.Conv2d]:
        """All convolutions in the order in which they run."""
        parts = [self.stem, self.stage0, *self.stages, *self.lateral]
        parts += [part for pair in zip(self.towers, self.heads, strict=True) for part in pair]
        return [layer for part in parts for layer in part.modules() if isinstance(layer, nn.Conv2d)]


def _resized(x: Tensor, factor: float) -> Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def anchors(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centers (A, 2) and strides (A, 1) in pixels."""
    centers, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centers.append((torch.stack((x, y), -1).reshape(-1, 2).float() + 0.5) * stride)
        strides.append(torch.full((len(centers[-1]), 1), float(stride)))
    return torch.cat(centers), torch.cat(strides)


def boxes_of(logits: Tensor, centers: Tensor, strides: Tensor) -> Tensor:
    """Boxes x0, y0, x1, y1 in pixels, (..., A, 4): each side is the mean of its distribution."""
    shares = logits[..., 1:].unflatten(-1, (4, BINS)).softmax(-1)
    far = (shares * torch.arange(BINS, device=shares.device, dtype=shares.dtype)).sum(-1) * strides
    return torch.cat((centers - far[..., :2], centers + far[..., 2:]), -1)


class Exported(nn.Module):
    """What is written as ONNX: pictures to rows x0, y0, x1, y1, score (N, A, 5), before suppression."""

    def __init__(self, net: NanoDet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Rows of all anchors; their centers follow the size of the picture."""
        rows = []
        for level, stride in zip(self.net.levels(x), STRIDES, strict=True):
            ones = torch.ones_like(level[0, 0])
            centers = torch.stack((ones.cumsum(1) - 0.5, ones.cumsum(0) - 0.5), -1).reshape(-1, 2) * stride
            flat = level.flatten(2).transpose(1, 2)
            rows.append(torch.cat((boxes_of(flat, centers, torch.tensor(float(stride))), flat[..., :1].sigmoid()), -1))
        return torch.cat(rows, 1)


def export(net: NanoDet, path: Path, size: int = 416) -> None:
    """Write ONNX that takes any number of pictures of any size divisible by 32."""
    axes = {"image": {0: "batch", 2: "height", 3: "width"}, "boxes": {0: "batch", 1: "anchors"}}
    torch.onnx.export(
        Exported(net).eval().cpu(),
        (torch.rand(1, 3, size, size),),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["boxes"],
        dynamic_axes=axes,
    )


def save(net: NanoDet, path: Path) -> None:
    """Write safetensors."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)


def load(path: Path) -> NanoDet:
    """Read safetensors."""
    from safetensors.torch import load_file

    net = NanoDet()
    net.load_state_dict(load_file(path))
    return net


def blend(start: NanoDet, tuned: NanoDet, share: float) -> NanoDet:
    """Weights between two nets: share 0 is the start, 1 what tuning made of it."""
    other, net = tuned.state_dict(), NanoDet()
    mixed = {name: (1 - share) * value + share * other[name] for name, value in start.state_dict().items()}
    net.load_state_dict(mixed)
    return net

"""What a finished vision tower sees of all training crops, computed once and kept for texts and judge."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.pocket.data import Crops, augment, prepare
from benchmarks.pocket.degrade import degrade
from benchmarks.pocket.towers import image_hidden_states

_BATCH = 64


def crop_features(tower: torch.nn.Module, crops: Crops, kept: Path, *, views: int, seed: int) -> Tensor:
    """Hidden states of every crop as it is, then augmented: V,N,1+P,D in bfloat16; read from `kept` where it fits."""
    # in half precision, as the weights are written and read again
    weights = [weight for name, weight in tower.named_parameters() if not name.startswith("pooler")]
    mark = f"{len(crops)} {views} {float(sum(weight.cpu().half().double().abs().sum() for weight in weights)):.4f}"
    if kept.exists():
        stored = torch.load(kept, weights_only=True)
        if stored["mark"] == mark:
            return torch.as_tensor(stored["features"])
    tower.eval()
    noise = np.random.default_rng(seed)
    features = torch.stack([_encode(tower, crops, noise, augmented=view > 0) for view in range(views)])
    torch.save({"mark": mark, "features": features}, kept)
    return features


@torch.no_grad()
def _encode(tower: torch.nn.Module, crops: Crops, noise: np.random.Generator, *, augmented: bool) -> Tensor:
    found = []
    device = next(tower.parameters()).device
    for first in range(0, len(crops), _BATCH):
        images = crops.images[first : first + _BATCH]
        joints = crops.joints[first : first + _BATCH].nan_to_num(0.5)
        pixels = degrade(augment(images, joints, noise)[0], noise, gray=False)[0] if augmented else prepare(images)
        pixels = pixels.to(device, memory_format=torch.channels_last)
        found.append(image_hidden_states(tower, pixels).bfloat16().cpu())
    return torch.cat(found)

"""Begins a training from shipped weights: the detector's ONNX file, the vision tower, the judge's language part.

The export of the detector folds batch normalization into convolutions. Here each layer gets the normalization that
leaves it as it is: its statistics are measured on pictures, its scale and shift undo them.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

_BATCH = 16
_TOWERS = ("vision_tower.", "vision_model.")


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The named weights of an exported model."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    return {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}


def unfold(model: Any, weights: dict[str, Tensor], pictures: list[Path], size: int) -> None:
    """Fill a fresh ultralytics detection model with folded weights.

    Raises:
        KeyError: The file was exported from another architecture.
    """
    for name, module in model.named_modules():
        if "one2one" in name:
            continue
        if isinstance(module, nn.Conv2d) and f"{name}.weight" in weights:
            module.weight.data.copy_(weights[f"{name}.weight"])
            if module.bias is not None:
                module.bias.data.copy_(weights[f"{name}.bias"])
    head = model.model[-1]
    norms = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and "one2one" not in name
    }
    for name, norm in norms.items():
        norm.bias.data.copy_(weights[f"{name.removesuffix('bn')}conv.bias"])
        norm.weight.data.fill_((1 + norm.eps) ** 0.5)
    _measure(model, norms, pictures, size)
    for part in ("cv2", "cv3"):
        if hasattr(head, f"one2one_{part}"):
            getattr(head, f"one2one_{part}").load_state_dict(getattr(head, part).state_dict())


def _measure(model: Any, norms: dict[str, nn.BatchNorm2d], pictures: list[Path], size: int) -> None:
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in norms}

    def keep(name: str) -> Any:
        return lambda _, inputs: seen[name].append((inputs[0].mean((0, 2, 3)), inputs[0].square().mean((0, 2, 3))))

    hooks = [norm.register_forward_pre_hook(keep(name)) for name, norm in norms.items()]
    model.eval()
    with torch.no_grad():
        for first in range(0, len(pictures), _BATCH):
            model(torch.stack([_read(path, size) for path in pictures[first : first + _BATCH]]))
    for hook in hooks:
        hook.remove()
    for name, norm in norms.items():
        mean = torch.stack([m for m, _ in seen[name]]).mean(0)
        variance = torch.stack([s for _, s in seen[name]]).mean(0) - mean.square()
        norm.bias.data.add_(mean)
        norm.weight.data.copy_((variance.clamp(min=0) + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance.clamp(min=0))


def _read(path: Path, size: int) -> Tensor:
    picture = cv2.resize(cv2.imread(str(path)), (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255


def write_checkpoint(onnx_file: Path, pictures: list[Path], out: Path, size: int) -> Path:
    """Write `warm.pt`, a check-point that ultralytics' trainer begins from."""
    from benchmarks.pocket.detector import offline_ultralytics

    yolo = offline_ultralytics(out).YOLO("yolo26n.yaml", task="detect")
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolo26n.yaml", nc=1, verbose=False)
    unfold(model, read_onnx(onnx_file), pictures, size)
    yolo.model = model
    target = out / "warm.pt"
    torch.save({"model": model, "train_args": {}, "epoch": -1}, target)
    return target


def adopt(tower: nn.Module, shipped: Path) -> int:
    """Take over another vision tower: whole where it has the same shape, else what fits of its convolutions.

    Where convolutions differ in width, their common part is taken. Returns the number of tensors.
    """
    from safetensors.torch import load_file

    prefix, taken, state = "vision_model.", 0, tower.state_dict()
    stored = load_file(shipped / "model.safetensors")
    known = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    same = {name: value.shape for name, value in state.items()} == {name: old.shape for name, old in known.items()}
    for name, value in state.items():
        old = known.get(name)
        if old is not None and (same or ("backbone" in name and old.ndim == value.ndim > 0)):
            part = tuple(slice(0, min(a, b)) for a, b in zip(old.shape, value.shape, strict=True))
            value[part] = old[part].to(value.dtype)
            taken += 1
    return taken


def adopt_language(model: nn.Module, earlier: nn.Module, name: str) -> int:
    """Take over everything of an earlier dual encoder or judge but its vision tower; returns the number of tensors.

    Raises:
        SystemExit: It has another shape, so that the training has to begin anew.
    """
    state = model.state_dict()
    known = {key: value for key, value in earlier.state_dict().items() if not any(part in key for part in _TOWERS)}
    other = [key for key, value in known.items() if key not in state or state[key].shape != value.shape]
    if other:
        raise SystemExit(f"{name} has another shape ({other[0]}); begin without --start")
    model.load_state_dict({key: value.to(state[key].dtype) for key, value in known.items()}, strict=False)
    return len(known)

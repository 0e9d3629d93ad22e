"""Train the pocket detector with ultralytics' own trainer on rendered tiles, and export it to ONNX."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.pocket.precision import has_bfloat16

SEEDS = {"ultralytics": 0}
TILE = 320
_RECIPE: dict[str, Any] = {
    "batch": 16,
    "optimizer": "AdamW",
    "lr0": 0.002,
    "lrf": 0.02,
    "warmup_epochs": 0.5,
    "weight_decay": 0.02,
    "cos_lr": True,
    "mosaic": 0.2,
    "close_mosaic": 2,
    "scale": 0.4,
    "degrees": 4.0,
    "hsv_h": 0.02,
    "amp": False,
    "workers": 0,
    "cache": "ram",
    "plots": False,
    "val": False,
    "verbose": False,
    "seed": SEEDS["ultralytics"],
    "exist_ok": True,
}


def train_detector(
    tiles: Path,
    out: Path,
    *,
    minutes: float,
    epochs: int,
    image_size: int = TILE,
    model: str = "yolo26n.yaml",
    device: str = "cpu",
) -> Path:
    """Train for about `minutes` (fresh, or from where an earlier run stopped) and export.

    Args:
        tiles: A YOLO data set: {train,val}/{images,labels}.
        out: Where the run and `detector/detector.onnx` go.
        minutes: Time budget; `epochs` applies when it is not positive.
        epochs: Number of epochs without a time budget.
        image_size: Side to which tiles are shrunk; smaller is faster and finds persons in smaller frames.
        model: Architecture, or a check-point to go on from.
        device: "cpu", "cuda" or "cuda:1".
    """
    engine = offline_ultralytics(out)
    last = out / "run" / "weights" / "last.pt"
    budget = {"time": minutes / 60} if minutes > 0 else {"epochs": epochs}
    data = _write_data_file(tiles, out)
    yolo = engine.YOLO(str(last) if last.exists() else model, task="detect")
    arguments = {
        **_RECIPE,
        **budget,
        "imgsz": image_size,
        "device": device,
        "data": str(data),
        "project": str(out.resolve()),
        "name": "run",
    }
    yolo.train(**({"resume": True} if last.exists() else arguments))
    return export_detector(last, out)


def export_detector(checkpoint: Path, out: Path) -> Path:
    """Write detector/detector.onnx, which loads without a pickle at any image size."""
    engine = offline_ultralytics(out)
    copy = out / "detector.pt"
    shutil.copy(checkpoint, copy)
    exported = Path(engine.YOLO(str(copy)).export(format="onnx", imgsz=TILE, dynamic=True, simplify=True, device="cpu"))
    target = out / "detector" / "detector.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(exported, target)
    describe_onnx(target)
    return target


def describe_onnx(path: Path) -> None:
    """Name the class and leave the paths of this machine out of the file."""
    import onnx

    model = onnx.load(path)
    stated = {"names": "{0: 'person'}", "description": "Pocket person detector, YOLO26n trained on rendered tiles"}
    for entry in model.metadata_props:
        entry.value = stated.get(entry.key, entry.value)
    onnx.save(model, path)


def _write_data_file(tiles: Path, out: Path, part: str = "val") -> Path:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "tiles.yaml"
    content = {"path": str(tiles.resolve()), "train": "train/images", "val": f"{part}/images", "names": {0: "person"}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def offline_ultralytics(out: Path) -> Any:
    """The library with its settings in `out`; its network and self-installation are switched off for all benchmarks."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(out.resolve())
    import ultralytics
    from ultralytics.engine import trainer

    ultralytics.settings.update({"sync": False, "uuid": ""})
    if has_bfloat16():  # twice as fast there; the library offers it on GPUs only
        trainer.autocast = _bfloat_autocast
    return ultralytics


def _bfloat_autocast(*_: Any, **__: Any) -> Any:
    import torch

    return torch.autocast("cpu", torch.bfloat16)


def validate_detector(tiles: Path, onnx: Path, *, part: str = "val", image_size: int = TILE) -> dict[str, Any]:
    """AP50, precision and recall of an exported detector on the tiles of one part."""
    run = tiles.parent / ".detector-validation"
    engine = offline_ultralytics(run)
    data = _write_data_file(tiles, run, part)
    result = engine.YOLO(str(onnx), task="detect").val(
        data=str(data),
        imgsz=image_size,
        batch=1,
        device="cpu",
        workers=0,
        plots=False,
        verbose=False,
        project=str(run.resolve()),
        name="val",
        exist_ok=True,
    )
    named = {"AP50": result.box.map50, "AP50-95": result.box.map, "precision": result.box.mp, "recall": result.box.mr}
    return {name: round(float(value), 3) for name, value in named.items()}


def recall_by_posture(part: Path, onnx: Path, *, confidence: float = 0.25, image_size: int = TILE) -> dict[str, Any]:
    """Share of persons found (overlap 0.5), by what they do, and false boxes a tile, at one threshold."""
    engine = offline_ultralytics(part.parent.parent / ".detector-validation")
    model = engine.YOLO(str(onnx), task="detect")
    found: dict[str, list[bool]] = {}
    false = tiles = 0
    for path in sorted((part / "images").glob("0*.jpg")):
        label = part / "labels" / f"{path.stem}.txt"
        truth = np.array([line.split()[1:] for line in label.read_text().splitlines()], np.float32).reshape(-1, 4)
        boxes = model.predict(str(path), imgsz=image_size, conf=confidence, device="cpu", verbose=False)[0].boxes
        near = overlaps(truth, boxes.xywhn.numpy()) >= 0.5
        false, tiles = false + int((~near.any(0)).sum()), tiles + 1
        for hit, posture in zip(near.any(1), (part / "postures" / f"{path.stem}.txt").read_text().split(), strict=True):
            found.setdefault(posture, []).append(bool(hit))
    shares = {posture: round(float(np.mean(hits)), 3) for posture, hits in sorted(found.items())}
    every = [hit for hits in found.values() for hit in hits]
    return {"all": round(float(np.mean(every)), 3), "false a tile": round(false / max(1, tiles), 3), **shares}


def overlaps(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes given by center and size: N,4 and M,4 to N,M."""
    low = np.maximum((first[:, :2] - first[:, 2:] / 2)[:, None], (second[:, :2] - second[:, 2:] / 2)[None])
    high = np.minimum((first[:, :2] + first[:, 2:] / 2)[:, None], (second[:, :2] + second[:, 2:] / 2)[None])
    common = np.clip(high - low, 0, None).prod(2)
    return np.asarray(common / (first[:, 2:].prod(1)[:, None] + second[:, 2:].prod(1)[None] - common), np.float32)

"""Rendered figures of the pocket models, and those on a real street: retrieval, attributes, twins, detection."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pocket.data import Crops
from benchmarks.pocket.encoder_scores import EncoderScorer
from benchmarks.pocket.judge_scores import JudgeScorer

_SEED = 5


def measure(data: Path, weights: Path, split: str, wanted: Sequence[str]) -> dict[str, Any]:
    """All figures asked for, on one split."""
    figures: dict[str, Any] = {"split": split, "what": "rendered figures, except those called real"}
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "encoder": lambda: _measure_encoder(data / "crops", split, weights / "dual_encoder"),
        "judge": lambda: JudgeScorer(weights / "judge").measure(_crops(data / "crops", split), _SEED),
        "detector": lambda: measure_detector(data / "tiles", weights / "detector" / "detector.onnx", split),
    }
    return figures | {name: measures[name]() for name in wanted}


def _crops(folder: Path, split: str) -> Crops:
    crops = Crops(folder, split)
    if not crops.refresh():
        raise SystemExit(f"no complete shard of the {split} split under {folder}; render some first")
    return crops


def _measure_encoder(folder: Path, split: str, weights: Path) -> dict[str, Any]:
    scorer, real = EncoderScorer(weights), Crops(folder, "real")
    figures = scorer.measure(_crops(folder, split), _SEED)
    if split == "test" and real.refresh():
        figures["real street"] = scorer.measure_real(real)
    return figures


def measure_detector(tiles: Path, onnx: Path, split: str) -> dict[str, Any]:
    """Average precision by ultralytics' own validator, and recall by posture."""
    from benchmarks.pocket.detector import recall_by_posture, validate_detector

    part = "test" if split == "test" else "val"
    return validate_detector(tiles, onnx, part=part) | {
        "recall at the profile's threshold": recall_by_posture(tiles / part, onnx)
    }

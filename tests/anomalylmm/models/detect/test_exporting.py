"""Making an ONNX file of a fetched detector."""

from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import WeightsError
from anomalylmm.models.detect.exporting import export_onnx
from anomalylmm.models.detect.yolo import YoloDetector, import_ultralytics
from tests.anomalylmm.models.tiny_models import resolved


def test_an_exported_detector_runs_on_pictures_of_any_size(tmp_path: Path) -> None:
    model = import_ultralytics().YOLO("yolo26n.yaml", task="detect")
    model.model.names = {number: "person" if number == 0 else f"thing {number}" for number in range(80)}
    model.save(str(tmp_path / "small.pt"))
    export_onnx(tmp_path / "small.pt", tmp_path / "small.onnx", image_size=160)
    detector = YoloDetector(
        resolved(tmp_path / "small.onnx", "detector"),
        image_size=192,
        confidence=0.9,
        device="cpu",
        runtime="onnxruntime",
    )
    assert [len(found) for found in detector.detect([np.zeros((90, 160, 3), np.uint8)])] == [0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.onnx", "small.pt"]


def test_a_damaged_file_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"small\.pt can't be exported"):
        export_onnx(tmp_path / "small.pt", tmp_path / "small.onnx", image_size=160)
    assert [path.name for path in tmp_path.iterdir()] == ["small.pt"]

"""Where ONNX models run."""

from pathlib import Path

import pytest
import torch

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.engine import OnnxEngine, can_use_gpu
from flows.composition import Composition
from flows.settings.model import Settings
from tests.anomalylmm.models.tiny_models import save_detector, save_nanodet

pytestmark = pytest.mark.skipif(can_use_gpu(), reason="this ONNX Runtime can use a GPU")


@pytest.mark.parametrize("family", ["yolo", "nanodet"])
def test_a_detector_that_would_run_on_the_cpu_unasked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    path = tmp_path / "small.onnx"
    _ = save_detector(path) if family == "yolo" else save_nanodet(path)
    detector = {"family": family, "weights": str(path)}
    with pytest.raises(WeightsError, match="pip install onnxruntime-gpu"):
        _ = Composition(Settings.model_validate({"device": "cuda", "detector": detector})).detector
    found = Composition(Settings.model_validate({"detector": detector}))
    assert found.detector.model_id.endswith("openvino") == (family == "nanodet")


def test_an_engine_says_what_to_install(tmp_path: Path) -> None:
    save_nanodet(tmp_path / "small.onnx")
    with pytest.raises(WeightsError, match=r"would run on the CPU instead of cuda:0"):
        OnnxEngine(tmp_path / "small.onnx", device="cuda:0", runtime="auto")

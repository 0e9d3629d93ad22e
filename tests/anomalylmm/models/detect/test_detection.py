"""The detector's boxes, classes and colors."""

from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import WeightsError
from anomalylmm.models.detect.yolo import person_class
from anomalylmm.models.weights import ResolvedWeights
from tests.adapters import build_yolo
from tests.anomalylmm.models.tiny_models import resolved, save_detector


def of_color(channel: int) -> np.ndarray:
    image = np.zeros((128, 128, 3), np.uint8)
    image[..., channel] = 255
    return image


def test_images_are_rgb_and_boxes_end_at_the_frame(tmp_path: Path) -> None:
    detector = build_yolo(resolved(save_detector(tmp_path / "red.onnx"), "detector"))
    red, green, blue = detector.detect([of_color(0), of_color(1), of_color(2)])
    np.testing.assert_allclose(red.boxes_xyxy_px, [[0, 32, 80, 128]], atol=0.5)
    np.testing.assert_allclose(red.scores, [1], atol=1e-3)
    assert len(green) == len(blue) == 0


def test_less_than_the_confidence_is_left_out(tmp_path: Path) -> None:
    path = save_detector(tmp_path / "red.onnx")
    dim = (of_color(0) // 2).astype(np.uint8)
    assert len(build_yolo(resolved(path, "detector"), confidence=0.4).detect([dim])[0]) == 1
    assert len(build_yolo(resolved(path, "detector"), confidence=0.6).detect([dim])[0]) == 0


def test_persons_are_found_by_name() -> None:
    assert person_class({0: "car", 7: "Person"}, Path("x.onnx")) == 7
    assert person_class({0: "someone"}, Path("x.onnx")) == 0
    with pytest.raises(WeightsError, match="it knows car, dog"):
        person_class({0: "car", 1: "dog"}, Path("x.onnx"))


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"broken\.onnx"):
        build_yolo(resolved(path, "detector"))


def test_whatever_the_libraries_raise_for_a_hostile_file_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise AssertionError("acceptable suffix is {'.pt'}, not .txt")

    monkeypatch.setattr("anomalylmm.models.detect.yolo.import_ultralytics", refuse)
    path = tmp_path / "x.pt.txt"
    weights = ResolvedWeights(path=path, model_id="x", digest="x", license="x", source="local")
    with pytest.raises(WeightsError, match="acceptable suffix"):
        build_yolo(weights)

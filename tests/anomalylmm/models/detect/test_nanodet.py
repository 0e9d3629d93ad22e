"""The NanoDet adapter on a small made-up model that boxes what is bright."""

from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import WeightsError
from anomalylmm.models.detect.nanodet import inner_size, letterbox, suppress
from anomalylmm.records import Image
from tests.adapters import build_nanodet
from tests.anomalylmm.models.tiny_models import resolved, save_detector, save_nanodet


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_nanodet(tmp_path_factory.mktemp("nanodet") / "nanodet.onnx")


def _frame(height: int, width: int, value: int = 255) -> Image:
    return np.full((height, width, 3), value, np.uint8)


def test_frames_keep_their_shape_and_are_filled_to_the_right_and_below() -> None:
    canvas = letterbox(_frame(90, 160), 320)
    assert canvas.shape == (3, 192, 320)
    np.testing.assert_allclose(canvas[:, :180], 1.0)
    np.testing.assert_allclose(canvas[:, 180:], 114 / 255, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1, 500), (700, 2), (32, 32), (1080, 1920)])
def test_sides_are_multiples_of_32_whatever_the_frame(height: int, width: int) -> None:
    canvas = letterbox(_frame(height, width), 416)
    assert max(canvas.shape[1:]) == 416
    assert all(side % 32 == 0 for side in canvas.shape[1:])


def test_of_boxes_that_overlap_the_strongest_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.7], np.float32), 0.5) == [1, 2]
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5) == []


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_boxes_are_those_of_the_frame_not_of_what_the_network_sees(weights: Path, runtime: str) -> None:
    found = build_nanodet(resolved(weights, "detector"), runtime=runtime).detect([_frame(100, 200)])[0]
    assert found.boxes_xyxy_px.shape == (1, 4)
    np.testing.assert_allclose(found.boxes_xyxy_px[0], [0, 0, 100, 50], atol=0.5)


def test_two_runtimes_are_two_detectors(weights: Path) -> None:
    named = [
        build_nanodet(resolved(weights, "detector"), runtime=runtime).model_id
        for runtime in ("openvino", "onnxruntime")
    ]
    assert named[0] == f"{named[1]}+openvino"


def test_another_kind_of_model_is_refused_with_its_shape(tmp_path: Path) -> None:
    path = save_detector(tmp_path / "yolo.onnx", batch="batch")
    with pytest.raises(WeightsError, match=r"nanodet|NanoDet"):
        build_nanodet(resolved(path, "detector"))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(WeightsError, match="can't be loaded"):
        build_nanodet(resolved(path, "detector"))


@pytest.mark.parametrize(("height", "width"), [(450, 1920), (77, 301), (1080, 608)])
def test_a_box_as_large_as_the_frame_comes_back_as_large(height: int, width: int) -> None:
    frame = _frame(height, width)
    inner, canvas = inner_size(frame, 416), letterbox(frame, 416)
    np.testing.assert_allclose(canvas[:, : inner[1], : inner[0]], 1)
    assert inner[0] / width == pytest.approx(416 / max(height, width), rel=0.01)

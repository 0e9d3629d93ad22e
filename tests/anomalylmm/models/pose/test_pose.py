"""Joints: what is cut around a person, which files are refused, and whose joints belong to whom."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx import engine as onnx_engine
from anomalylmm.models.pose.movenet import cut_square, square_around
from anomalylmm.models.pose.yolo_pose import give_joints
from anomalylmm.models.weights import resolve
from anomalylmm.records import Detections
from tests.adapters import build_movenet, compose
from tests.anomalylmm.models.tiny_models import resolved, save_detector, save_pose


def persons(*boxes: tuple[float, ...]) -> Detections:
    return Detections(boxes_xyxy_px=np.array(boxes, np.float32), scores=np.ones(len(boxes), np.float32))


def test_a_square_is_cut_around_the_middle_of_the_box() -> None:
    assert square_around(np.array([10, 20, 50, 100], np.float32)) == (-20, 10, 100)


@pytest.mark.parametrize("square", [(-20, -20, 40), (90, 90, 40), (-300, 10, 50), (20, 400, 30)])
def test_beyond_the_edge_the_last_pixels_go_on(square: tuple[int, int, int]) -> None:
    image = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 3))
    cut = cut_square(image, square, square[2])
    expected = np.clip(np.arange(square[0], square[0] + square[2]), 0, 99)
    np.testing.assert_array_equal(cut[0, :, 0], expected)


def test_joints_are_mapped_back_to_the_frame(tmp_path: Path) -> None:
    weights = resolved(save_pose(tmp_path / "a.onnx"), "pose")
    white = np.full((100, 100, 3), 255, np.uint8)
    joints = build_movenet(weights, runtime="onnxruntime").estimate([white], [persons((10, 20, 50, 100))])[0]
    np.testing.assert_allclose(joints[0, :, 0], -20 + 100 * np.linspace(0.1, 0.9, 17), atol=1e-3)
    np.testing.assert_allclose(joints[0, :, 1], 10 + 100 * np.linspace(0.1, 0.9, 17), atol=1e-3)


def test_more_persons_than_a_batch_holds_stay_in_order(tmp_path: Path) -> None:
    weights = resolved(save_pose(tmp_path / "a.onnx"), "pose")
    frame = np.random.default_rng(0).integers(0, 255, (90, 200, 3), dtype=np.uint8)
    found = persons(*((10.0 * n, 10, 10.0 * n + 20, 70) for n in range(7)))
    some = build_movenet(weights, runtime="onnxruntime", batch_size=3).estimate([frame], [found])[0]
    every = build_movenet(weights, runtime="openvino").estimate([frame], [found])[0]
    np.testing.assert_allclose(some, every, atol=0.05)


def test_other_nets_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a pose net takes"):
        build_movenet(resolved(save_detector(tmp_path / "detector.onnx"), "pose"))
    with pytest.raises(WeightsError, match="a pose net takes"):
        build_movenet(resolved(save_pose(tmp_path / "few.onnx", joints=13), "pose"))
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="fetch it again"):
        build_movenet(resolved(tmp_path / "broken.onnx", "pose"))


def test_onnx_runtime_takes_over_where_openvino_fails_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(onnx_engine, "StreamedModel", fail)
    weights = resolved(save_pose(tmp_path / "a.onnx"), "pose")
    with pytest.raises(WeightsError, match="onnxruntime"):
        build_movenet(weights, runtime="openvino")
    frame = np.zeros((50, 50, 3), np.uint8)
    assert build_movenet(weights).estimate([frame], [persons((0, 0, 20, 20))])[0].shape == (1, 17, 3)


def test_a_model_is_named_by_its_weights_and_what_runs_them(tmp_path: Path) -> None:
    weights = resolved(save_pose(tmp_path / "a.onnx"), "pose")
    names = [build_movenet(weights, runtime=runtime).model_id for runtime in ("onnxruntime", "openvino")]
    assert names == [weights.model_id, f"{weights.model_id}+openvino"]
    settings = {"weights": str(weights.path), "runtime": "openvino"}
    assert compose(pose=settings).model_ids()["pose"] == names[1]


def test_files_are_found_by_what_they_are_for(tmp_path: Path) -> None:
    save_pose(tmp_path / "a.onnx")
    (tmp_path / "head.safetensors").write_bytes(b"")
    assert resolved(tmp_path, "pose").path.name == "a.onnx"
    assert resolved(tmp_path, "posture").path.name == "head.safetensors"
    with pytest.raises(WeightsError, match="no-such-head"):
        resolve("no-such-head", "posture")
    with pytest.raises(WeightsError, match="no-such-pose"):
        resolve("org/no-such-pose", "pose")


def test_joints_go_to_the_box_that_overlaps_most_and_to_one_only() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 20], [40, 0, 50, 20]])
    data = torch.ones(2, 17, 3) * torch.tensor([1.0, 2.0])[:, None, None]
    result = SimpleNamespace(keypoints=SimpleNamespace(data=data), boxes=SimpleNamespace(xyxy=boxes))
    found = persons((41, 0, 50, 20), (0, 1, 10, 20), (1, 2, 10, 20), (70, 70, 80, 90))
    assert give_joints(result, found)[:, 0, 0].tolist() == [2, 1, 0, 0]
    nobody = SimpleNamespace(keypoints=SimpleNamespace(data=torch.zeros(0, 17, 3)), boxes=None)
    assert give_joints(nobody, found).shape == (4, 17, 3)

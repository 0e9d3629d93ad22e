"""The detector's copy for OpenVINO: made once, whole, and equal in what it finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from anomalylmm.errors import WeightsError
from anomalylmm.models.detect.yolo import YoloDetector, choose_file
from anomalylmm.models.onnx import openvino_copy, openvino_streams
from anomalylmm.models.onnx.openvino_copy import open_copy
from anomalylmm.models.weights import ResolvedWeights, resolve
from anomalylmm.records import Detections
from flows.settings.model import configs_folder
from tests.adapters import build_yolo, compose
from tests.anomalylmm.models.tiny_models import resolved, save_detector


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "anomalylmm" / "openvino"


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    stream = cv2.VideoCapture(str(next((configs_folder() / "demo_archive").rglob("square/*/*.mp4"))))
    pictures = []
    for number in range(240):
        stream.grab()
        if number % 60 == 59:
            pictures.append(np.ascontiguousarray(stream.retrieve()[1][..., ::-1]))
    return pictures


@pytest.fixture(scope="module")
def filled_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("filled")


@pytest.fixture
def pocket(cache: Path, filled_cache: Path, monkeypatch: pytest.MonkeyPatch) -> ResolvedWeights:
    """The pocket detector, whose copy all tests share."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(filled_cache))
    return resolve("pocket/detector", "detector")


def test_both_runtimes_find_the_same_persons(pocket: ResolvedWeights, frames: list[np.ndarray]) -> None:
    found = [build_yolo(pocket, runtime=runtime).detect(frames) for runtime in ("openvino", "onnxruntime")]
    assert sum(map(len, found[0])) > 5
    for ours, plain in zip(*found, strict=True):
        assert lacks(ours, plain) == lacks(plain, ours) == []


def lacks(some: Detections, others: Detections) -> list[float]:
    """Scores of boxes that the others have not; those at the detector's threshold may be on either side of it."""
    return [
        float(score)
        for box, score in zip(some.boxes_xyxy_px, some.scores, strict=True)
        if score > 0.27
        and not any(
            np.abs(box - other).max() < 2 and abs(score - sure) < 0.02
            for other, sure in zip(others.boxes_xyxy_px, others.scores, strict=True)
        )
    ]


def test_a_copy_is_made_once(tmp_path: Path, cache: Path) -> None:
    weights = resolved(save_detector(tmp_path / "a.onnx"), "detector")
    first = open_copy(weights)
    made = (first / "model.xml").stat().st_mtime_ns
    assert open_copy(weights) == first
    assert (first / "model.xml").stat().st_mtime_ns == made
    assert [item.name for item in cache.iterdir()] == [first.name]


def test_who_comes_second_takes_the_firsts_copy(tmp_path: Path, cache: Path) -> None:
    target, building = cache / "a_openvino_model", cache / "b_openvino_model"
    for folder in (target, building):
        folder.mkdir(parents=True)
        (folder / "model.xml").write_text(folder.name)
    assert openvino_copy._publish(building, target) == target
    assert [item.name for item in cache.iterdir()] == ["a_openvino_model"]
    assert (target / "model.xml").read_text() == "a_openvino_model"


def test_a_file_that_is_no_model_is_refused_by_name_and_left_to_the_other_runtime_else(
    tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    weights = resolved(path, "detector")
    with pytest.raises(WeightsError, match=r"broken\.onnx can't be turned into an OpenVINO model"):
        choose_file(weights, "cpu", "openvino")
    assert choose_file(weights, "cpu", "auto") == path
    assert list(cache.iterdir()) == []


def test_without_the_library_auto_takes_the_other_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = resolved(save_detector(tmp_path / "a.onnx"), "detector")
    monkeypatch.setattr(openvino_copy, "is_installed", lambda: False)
    assert choose_file(weights, "cpu", "auto") == weights.path
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(WeightsError, match="install openvino"):
        choose_file(weights, "cpu", "openvino")


@pytest.mark.parametrize(("device", "runtime"), [("cuda:0", "openvino"), ("cpu", "onnxruntime")])
def test_a_gpu_or_the_settings_may_want_the_file_itself(tmp_path: Path, device: str, runtime: str) -> None:
    weights = resolved(save_detector(tmp_path / "a.onnx"), "detector")
    assert choose_file(weights, device, runtime) == weights.path


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    copy = open_copy(resolved(save_detector(tmp_path / "a.onnx"), "detector"))
    assert (copy / "model.xml").is_file()


def test_the_runtime_is_part_of_the_detectors_name() -> None:
    named = [
        compose(detector={"weights": "pocket/detector", "runtime": runtime}).model_ids()["detector"]
        for runtime in ("openvino", "auto", "onnxruntime")
    ]
    assert named[0] == named[1] == f"{named[2]}+openvino"


def compiled(detector: YoloDetector) -> object:
    return detector._model.predictor.model.backend.ov_compiled_model


def test_on_streams_a_picture_is_seen_as_on_all_cores_and_as_alone(
    pocket: ResolvedWeights, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(openvino_streams, "num_cores", lambda cores=cores: cores)
        detector = build_yolo(pocket, runtime="openvino")
        assert isinstance(compiled(detector), openvino_streams.StreamedModel) == (cores > 1)
        found.append(detector.detect(frames))
    found.append([detector.detect([frame])[0] for frame in frames])
    assert sum(map(len, found[0])) > 5
    for plain, streamed, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(plain.boxes_xyxy_px, streamed.boxes_xyxy_px)
        np.testing.assert_array_equal(plain.scores, streamed.scores)
        np.testing.assert_array_equal(alone.scores, streamed.scores)


def test_models_that_take_whole_batches_only_keep_their_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_streams, "num_cores", lambda: 2)
    kinds = {}
    for batch in (1, 4, "batch"):
        folder = open_copy(resolved(save_detector(tmp_path / f"{batch}.onnx", batch=batch), "detector"))
        backend = Backend(folder)
        kinds[batch] = openvino_streams.use_streams(backend, folder)
        assert isinstance(backend.ov_compiled_model, openvino_streams.StreamedModel) == kinds[batch]
    assert kinds == {1: True, 4: False, "batch": True}
    assert not openvino_streams.use_streams(object(), tmp_path)


class Backend:
    """As ultralytics' is: with a compiled model."""

    def __init__(self, folder: Path) -> None:
        import openvino

        self.ov_compiled_model: object = openvino.Core().compile_model(str(folder / "model.xml"), "CPU")


def test_loading_leaves_torch_its_threads(pocket: ResolvedWeights) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 2)
    try:
        build_yolo(pocket)
        assert torch.get_num_threads() == threads + 2
    finally:
        torch.set_num_threads(threads)


def test_several_pictures_of_one_request_give_what_each_gives_alone() -> None:
    path = resolve("pocket/pose", "pose").path
    pictures = np.random.default_rng(0).uniform(0, 255, (7, 3, 192, 192)).astype(np.float32)
    alone, together = (openvino_streams.StreamedModel(path, 2, number)(pictures)[0] for number in (1, 3))
    np.testing.assert_array_equal(alone, together)

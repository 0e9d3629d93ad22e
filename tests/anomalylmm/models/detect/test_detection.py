"""The detector's boxes, classes and colors, and the tracker's memory."""

from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError, WeightsError
from anomalylmm.models.detect.tracker import UltralyticsTracker
from anomalylmm.models.detect.yolo import person_class
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Detections
from tests.adapters import build_tracker, build_yolo
from tests.anomalylmm.models.tiny_models import resolved, save_detector

FRAME = np.zeros((240, 320, 3), np.uint8)


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


def one_person(score: float = 0.9) -> Detections:
    return Detections(boxes_xyxy_px=np.array([[50, 50, 90, 170]], np.float32), scores=np.array([score], np.float32))


NOBODY = Detections(boxes_xyxy_px=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))


def test_a_hidden_person_keeps_the_number_for_the_seconds_of_the_buffer() -> None:
    for hidden_frames, is_same in ((4, True), (12, False)):
        tracker = build_tracker(sample_fps=4.0, buffer_seconds=2.0)
        first = [tracker.update(one_person(), FRAME)[0] for _ in range(3)][-1]
        for _ in range(hidden_frames):
            tracker.update(NOBODY, FRAME)
        again = [tracker.update(one_person(), FRAME)[0] for _ in range(3)][-1]
        assert (first == again) == is_same


def test_trackers_number_from_one_each() -> None:
    numbers = [build_tracker(sample_fps=2.0).update(one_person(), FRAME)[0] for _ in range(2)]
    assert numbers == [1, 1]


def test_a_doubtful_detection_belongs_to_no_track() -> None:
    assert build_tracker(sample_fps=2.0).update(one_person(0.15), FRAME).tolist() == [-1]


def passing(tracker: UltralyticsTracker, shift_px: float) -> list[int]:
    """Track numbers of one person who moves by so many pixels between frames; 40 pixels wide."""
    numbers = []
    for index in range(4):
        left = 20 + index * shift_px
        boxes = np.array([[left, 40, left + 40, 140]], np.float32)
        numbers += tracker.update(Detections(boxes_xyxy_px=boxes, scores=np.array([0.8], np.float32)), FRAME).tolist()
    return numbers


def test_who_leaves_his_box_between_frames_is_followed_by_reach() -> None:
    assert passing(build_tracker(sample_fps=3.0, reach_per_second=1.5), 38) == [1, 1, 1, 1]
    assert len(set(passing(build_tracker(sample_fps=3.0), 38))) == 4


def test_a_new_track_has_its_number_at_once() -> None:
    tracker = build_tracker(sample_fps=3.0)
    tracker.update(NOBODY, FRAME)
    assert tracker.update(one_person(), FRAME).tolist() == [1]


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bytetrack, botsort"):
        build_tracker("deepsort", sample_fps=2.0)


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

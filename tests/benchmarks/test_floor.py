"""Stand-ins for models on a device of their own."""

from types import SimpleNamespace

import numpy as np

from benchmarks.floor import OnDevice, Took, compare
from tests.fakes import BlockDetector, draw


def test_a_stand_in_answers_as_its_model_did_and_asks_it_once(monkeypatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("benchmarks.floor.time", SimpleNamespace(sleep=waited.append))
    frames = [draw([("red", 0, 6)], at, 6.0) for at in (0.0, 1.0, 2.0)]
    model = BlockDetector()
    device = OnDevice(model, 0.5)
    first = device.detect(frames)
    monkeypatch.setattr(model, "detect", None)
    again = device.detect(frames[::-1])
    assert waited == [1.5]
    assert device.model_id == model.model_id
    for one, other, true in zip(first, again[::-1], BlockDetector().detect(frames), strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy_px, true.boxes_xyxy_px)
        np.testing.assert_array_equal(other.boxes_xyxy_px, true.boxes_xyxy_px)


def test_the_whole_is_compared_with_decoding_the_slowest_stage_and_all_work_on_all_cores() -> None:
    def took(seconds: float, cpu: float) -> list[Took]:
        return [Took(seconds=seconds, cpu_seconds=cpu)]

    stages = {"decode": took(2, 3), "detect": took(5, 9), "track": took(1, 1), "encode": took(2, 3)}
    ratios = compare({**stages, "whole": took(10, 16)}, 2)
    assert ratios == {
        "over decode alone": 5.0,
        "over detect alone": 2.0,
        "over the work of all stages on all cores": 1.25,
    }

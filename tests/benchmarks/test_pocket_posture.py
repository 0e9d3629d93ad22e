"""Training of the posture head: samples, untidy joints and a small head that learns."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.features import NUM_FEATURES, describe_bodies
from anomalylmm.posture.head import PostureHead
from anomalylmm.records import Detections, Floats, Image
from benchmarks.pocket.posture import train
from benchmarks.pocket.posture.augment import Strength, augmented_features, mirrored, plain_features
from benchmarks.pocket.posture.samples import CLASS_OF, LEFT_OUT, Samples, gather, read_samples
from benchmarks.rendered.behavior import BEHAVIORS
from tests.anomalylmm.posture.bodies import box_of, lying, standing

STILL = Strength(stretch=0, tilt_degrees=0, jitter=0, stray=0, edges=0, cut=0, swap=0, company=0.5, alone=0.5)


def make_samples(names: Sequence[str], *, pairs: bool = False) -> Samples:
    """Persons who lie or else stand, each of another size; in pairs, somebody stands beside each."""
    found, boxes = [], []
    for index, name in enumerate(names):
        size = 1 + 0.02 * index
        me = lying(200 + index) if name == "lying" else standing(200 + index, size=size)
        persons = [me, standing(250 + index, size=1.1 * size)] if pairs else [me]
        found.append(np.stack(persons))
        boxes.append(np.array([box_of(person) for person in persons], np.float32))
    return gather(found, boxes, names)


class BoxJoints:
    """Gives joints in the middle of each box, and counts its calls; a pose estimator to test with."""

    model_id = "stand/in"

    def __init__(self) -> None:
        self.calls = 0

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Gives 17 joints at the center of each box."""
        assert len(images) == len(persons)
        self.calls += 1
        return [
            np.stack([np.tile([*(box[:2] + box[2:]) / 2, 1.0], (17, 1)) for box in found.boxes_xyxy_px])
            for found in persons
        ]


def test_every_rendered_behavior_has_a_class_or_is_left_out() -> None:
    assert set(BEHAVIORS) <= set(CLASS_OF) | set(LEFT_OUT)
    assert not set(CLASS_OF) & set(LEFT_OUT)
    assert set(CLASS_OF.values()) <= set(STILLS)


def test_gathering_keeps_two_persons_of_each_picture() -> None:
    joints = [np.full((number, 17, 3), number, np.float32) for number in (1, 2, 3)]
    boxes = [np.full((number, 4), number, np.float32) for number in (1, 2, 3)]
    samples = gather(joints, boxes, ["standing", "lying", "fighting"])
    assert len(samples) == 3
    assert samples.keypoints.shape == (3, 2, 17, 3)
    assert samples.has_other.tolist() == [False, True, True]
    assert [STILLS[label] for label in samples.labels] == ["standing", "lying", "fighting"]
    assert (samples.keypoints[0, 1] == 0).all()
    assert (samples.boxes[:, 0] == [[1] * 4, [2] * 4, [3] * 4]).all()


def test_joined_samples_follow_each_other() -> None:
    both = make_samples(["standing"]).join(make_samples(["lying", "lying"], pairs=True))
    assert [STILLS[label] for label in both.labels] == ["standing", "lying", "lying"]
    assert both.has_other.tolist() == [False, True, True]


def test_a_shard_is_estimated_once_and_without_what_is_left_out(tmp_path: Path) -> None:
    shard, estimator = tmp_path / "shard", BoxJoints()
    shard.mkdir()
    np.save(shard / "images.npy", np.zeros((3, 100, 100, 3), np.uint8))
    rows = [
        {"behavior": "phoning", "box": [0.2, 0.2, 0.4, 0.8]},
        {"behavior": LEFT_OUT[0], "box": [0.2, 0.2, 0.4, 0.8]},
        {"behavior": "punching", "box": [0.2, 0.2, 0.4, 0.8], "others": [{"box": [0.4, 0.2, 0.6, 0.8]}]},
    ]
    (shard / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = read_samples([shard], estimator, tmp_path / "cache")
    again = read_samples([shard], estimator, tmp_path / "cache")
    assert estimator.calls == 1
    assert [STILLS[label] for label in made.labels] == ["standing", "fighting"]
    assert made.has_other.tolist() == [False, True]
    np.testing.assert_allclose(made.keypoints[1, :, 0, :2], [[30, 50], [50, 50]], atol=1e-4)
    for name in Samples.__slots__:
        np.testing.assert_array_equal(getattr(made, name), getattr(again, name))


def test_a_mirror_image_of_a_mirror_image_is_the_person() -> None:
    samples = make_samples(["standing", "lying"], pairs=True)
    for keypoints, boxes in zip(samples.keypoints, samples.boxes, strict=True):
        once = mirrored(keypoints, boxes)
        assert (once[1][:, 2] > once[1][:, 0]).all()
        twice = mirrored(*once)
        np.testing.assert_array_equal(twice[0], keypoints)
        np.testing.assert_array_equal(twice[1], boxes)


def test_augmented_features_follow_the_seed() -> None:
    samples = make_samples(["standing", "lying", "fighting"] * 3, pairs=True)
    before = samples.keypoints.copy()
    one, same, other = (augmented_features(samples, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (9, NUM_FEATURES)
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(samples.keypoints, before)


def test_plain_features_are_those_of_the_product() -> None:
    samples = make_samples(["fighting", "standing"], pairs=True)
    rows = plain_features(samples)
    np.testing.assert_array_equal(rows[0], describe_bodies(samples.keypoints[0])[0])
    samples = make_samples(["standing"])
    np.testing.assert_array_equal(plain_features(samples)[0], describe_bodies(standing(200)[None])[0])


def test_who_fights_keeps_or_loses_the_opponent_but_never_gets_a_stranger() -> None:
    samples = make_samples(["fighting"] * 12 + ["standing"] * 4, pairs=True)
    rows = augmented_features(samples, np.random.default_rng(0), STILL)
    seen = set()
    for index in range(12):
        keypoints, boxes = samples.keypoints[index], samples.boxes[index]
        expected = {}
        for number, name in ((1, "alone"), (2, "opponent")):
            turned, _ = mirrored(keypoints[:number], boxes[:number])
            expected[name] = [describe_bodies(part)[0] for part in (keypoints[:number], turned)]
        same = [name for name, both in expected.items() for row in both if np.allclose(rows[index], row, atol=2e-3)]
        assert len(set(same)) == 1
        seen |= set(same)
    assert seen == {"alone", "opponent"}


def test_who_stands_alone_gets_company_sometimes() -> None:
    rows = augmented_features(make_samples(["standing"] * 40), np.random.default_rng(0), STILL)
    beside = rows[:, NUM_FEATURES - 45]  # 1 where another person is near
    assert set(beside.tolist()) == {0.0, 1.0}


def test_nobody_who_fights_alone_gets_company() -> None:
    rows = augmented_features(make_samples(["fighting"] * 40), np.random.default_rng(0), STILL)
    assert (rows[:, NUM_FEATURES - 45] == 0).all()


def test_a_trained_head_tells_standing_from_lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "EPOCHS", 8)
    monkeypatch.setattr(train, "MEMBERS", 2)
    samples = make_samples(["standing", "lying"] * 16)
    arrays = train.train_head(samples, rounds=2)
    head = train.write_head(arrays, tmp_path / "new")
    names = [STILLS[index] for index in head.classify(plain_features(samples)).argmax(axis=1)]
    assert names == ["standing", "lying"] * 16
    read = PostureHead.of_arrays(load_file(tmp_path / "new" / "head.safetensors"))
    bodies = np.stack([standing(100), lying(600)])
    np.testing.assert_array_equal(read.read(bodies), head.read(bodies))

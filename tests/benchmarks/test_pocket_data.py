"""Training data of the pocket models: labels, augmentation, positives, a real street's crops."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.pocket.data import CLASSES, LABELS, MISSING, Crops, augment, label_row, repaint
from benchmarks.pocket.degrade import degrade
from benchmarks.pocket.detector import overlaps
from benchmarks.pocket.heads import AlignedHeads, positives
from benchmarks.pocket.real import LABELED
from benchmarks.rendered.captions import BEHAVIORS, agrees, facts_of, write_caption


def _row(u: Random, **more: Any) -> dict[str, Any]:
    colors = CLASSES["upper"]
    row: dict[str, Any] = {"behavior": u.choice(BEHAVIORS), "person": u.choice(("man", "woman")), "hair": "short"}
    row |= {"upper": {"color": u.choice(colors[:3]), "kind": "coat"}, "shoes": {"color": "white"}, "place": "street"}
    row |= {"lower": {"color": u.choice(colors[:3]), "kind": "skirt"}, "hat": None, "bag": None, "night": False}
    return row | more


def _named(row: dict[str, Any]) -> dict[str, str | None]:
    numbers = dict(zip(LABELS, label_row(row), strict=True))
    return {name: None if number == MISSING else CLASSES[name][number] for name, number in numbers.items()}


def test_labels_are_what_the_row_says() -> None:
    named = _named(_row(Random(1), behavior="falling", hat={"color": "red"}))
    assert (named["behavior"], named["hat"], named["bag"], named["lower_kind"]) == ("falling", "red", "none", "skirt")
    assert named["night"] == "False"


def test_what_is_not_known_of_a_real_person_has_no_label() -> None:
    named = _named({"behavior": "walking", "person": "unknown", "real": True, "upper": None, "hat": None, "hair": ""})
    assert named["behavior"] == "walking"
    assert {named[name] for name in ("upper", "hat", "bag", "person", "hair", "upper_kind")} == {None}


def test_joints_stay_where_they_are_in_the_augmented_picture() -> None:
    rng = np.random.default_rng(4)
    images = torch.zeros(32, 3, 160, 160, dtype=torch.uint8)
    joints = torch.full((32, 16, 2), 0.5)
    for number in range(32):
        x, y = (int(v) for v in rng.integers(60, 100, 2))
        images[number, :, y - 4 : y + 5, x - 4 : x + 5] = 255
        joints[number] = torch.tensor([(x + 0.5) / 160, (y + 0.5) / 160])
    errors = []
    pixels, moved = augment(images, joints, np.random.default_rng(5), 128)
    for picture, points in zip(pixels.mean(1), moved, strict=True):
        bright = picture - picture.median()
        rows, columns = torch.nonzero(bright > 0.6 * bright.max(), as_tuple=True)
        center = torch.stack([columns.float().mean(), rows.float().mean()]) / 128 + 0.5 / 128
        errors.append(float((center - points[0]).abs().max()))
    assert np.median(errors) < 0.015  # some pictures are covered in part


def test_a_mirrored_person_swaps_left_and_right_joints() -> None:
    joints = torch.zeros(64, 16, 2)
    joints[:, :, 1] = 0.5
    joints[:, :, 0] = torch.where(torch.arange(16) % 2 == 0, 0.3, 0.7)  # left at 0.3, right at 0.7 of every pair
    _, moved = augment(torch.zeros(64, 3, 160, 160, dtype=torch.uint8), joints, np.random.default_rng(1), 96)
    assert (moved[:, 2::2, 0] < moved[:, 3::2, 0]).all()


def test_positives_are_the_pairs_that_agree() -> None:
    u = Random(3)
    rows = [_row(u) for _ in range(40)]
    captions = [write_caption(row, u, style=u.choice(["short", "medium", "full"])) for row in rows]
    facts = [facts_of(row) for row in rows]
    expected = [[float(agrees(caption, known)) for caption in captions] for known in facts]
    assert positives(captions, facts).tolist() == expected


def test_what_captions_say_is_labeled_like_what_pictures_show() -> None:
    u = Random(5)
    for _ in range(60):
        row = _row(u)
        said, shown = AlignedHeads.said([write_caption(row, u, style="full")])[0].tolist(), label_row(row)
        assert all(a in (MISSING, b) for a, b in zip(said, shown, strict=True))
        assert said[0] == shown[0]


def test_only_whole_shards_of_the_split_are_read_and_held_out_rows_left_out(tmp_path: Path) -> None:
    for name, whole in (("train-0000", True), ("train-0001", False), ("test-0000", True)):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "images.npy", np.zeros((2, 160, 160, 3), np.uint8))
        if whole:
            rows = [_row(Random(1), held_out=held, joints_xy=[[0.5, 0.5]] * 16) for held in (False, True)]
            (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    crops = Crops(tmp_path, "train", keep_held_out=False)
    assert crops.refresh()
    assert (len(crops), crops.images.shape[0], crops.shards) == (1, 1, ["train-0000"])
    assert not crops.refresh()


def test_the_labels_of_the_real_street_keep_training_and_test_apart_in_time() -> None:
    entries = json.loads(LABELED.read_text(encoding="utf-8"))["crops"]
    train, test = ([e for e in entries if e["split"] == split] for split in ("train", "test"))
    assert len(test) == 100
    assert max(e["frame"] for e in train) < 477 <= min(e["frame"] for e in test)
    assert all(set(e["behavior"]) <= set(BEHAVIORS) for e in entries)


def test_overlaps_are_those_of_boxes_given_by_center_and_size() -> None:
    first = np.array([[0.5, 0.5, 0.2, 0.2]], np.float32)
    second = np.array([[0.5, 0.5, 0.2, 0.2], [0.6, 0.5, 0.2, 0.2], [0.9, 0.9, 0.1, 0.1]], np.float32)
    assert overlaps(first, second)[0] == pytest.approx([1, 1 / 3, 0], abs=1e-5)


def test_repainted_crops_lose_the_names_of_colors_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    images = torch.from_numpy(rng.integers(0, 255, (40, 3, 160, 160), dtype=np.uint8))
    joints = torch.full((40, 16, 2), float("nan"))
    joints[:20] = 0.5
    joints[:20, 2:4, 1], joints[:20, 8:10, 1] = 0.2, 0.6  # shoulders over hips
    labels = torch.tensor([label_row(_row(Random(number))) for number in range(40)])
    before = images.clone()
    painted, said = repaint(images, joints, labels, rng, 1.0)
    assert torch.equal(images, before)
    names = list(LABELS)
    kept = [k for k, name in enumerate(names) if name not in ("upper", "lower", "shoes", "hat", "bag")]
    assert torch.equal(said[:, kept], labels[:, kept])
    assert (said[:, names.index("lower")] == MISSING).all()
    halves = said[:, names.index("upper")] != MISSING
    assert halves[:20].any()
    assert not halves[20:].any()  # where joints are unknown, nobody knows where the hips are
    assert torch.equal(painted[halves][:, :, :100], images[halves][:, :, :100])
    assert (painted[halves][:, :, 101:] != images[halves][:, :, 101:]).any()


def test_a_share_of_the_crops_keeps_its_colors() -> None:
    images = torch.zeros(200, 3, 160, 160, dtype=torch.uint8)
    labels = torch.tensor([label_row(_row(Random(number))) for number in range(200)])
    joints = torch.full((200, 16, 2), float("nan"))
    _, said = repaint(images, joints, labels, np.random.default_rng(1), 0.4)
    assert 0.3 < (said[:, list(LABELS).index("upper")] == MISSING).float().mean() < 0.5


def test_degraded_crops_keep_their_size_and_range_and_say_whose_colors_are_gone() -> None:
    crops = torch.rand(40, 3, 64, 64) * 2 - 1
    poor, faded = degrade(crops, np.random.default_rng(3))
    assert poor.shape == crops.shape
    assert poor.abs().max() <= 1 + 1e-6
    changed = (poor - crops).abs().amax(dim=(1, 2, 3)) > 0.01
    assert 10 < int(changed.sum()) < 40
    assert 0 < int(faded.sum()) < 15
    assert not (faded & ~changed).any()
    assert not degrade(crops, np.random.default_rng(3), gray=False)[1].any()

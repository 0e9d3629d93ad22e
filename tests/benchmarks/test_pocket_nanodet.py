"""Training of the pocket person detector: the net, its loss, its pictures, its teacher and its check-points."""

import copy
import itertools
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.pocket.nanodet import train
from benchmarks.pocket.nanodet.loss import assign, detection_loss
from benchmarks.pocket.nanodet.net import BINS, OUTPUTS, STRIDES, NanoDet, anchors, blend, boxes_of, load, save
from benchmarks.pocket.nanodet.pictures import MIN_SIDE_PX, Labeled, draw, quarter_turn, read_folder

HEIGHT, WIDTH = 64, 96
ANCHORS = sum((HEIGHT // stride) * (WIDTH // stride) for stride in STRIDES)
TRUTH = torch.tensor([[8.0, 6.0, 40.0, 60.0], [52.0, 10.0, 84.0, 58.0]])


def make_logits(boxes: Tensor, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Logits (1, A, 1 + 4 * BINS) that score the anchors assigned to the boxes, and give each of them its box."""
    centers, strides = anchors(height, width)
    owner = assign(boxes, centers, strides)
    logits = torch.zeros(1, len(centers), OUTPUTS)
    logits[..., 0] = -12.0
    for index in (owner >= 0).nonzero()[:, 0].tolist():
        box = boxes[owner[index]]
        sides = torch.cat((centers[index] - box[:2], box[2:] - centers[index])) / strides[index]
        far = sides[:, None] - torch.arange(BINS)
        logits[0, index, 0] = 12.0
        logits[0, index, 1:] = (1 - far.abs()).clamp(1e-6).log().reshape(-1)
    return logits


def write_folder(folder: Path, pictures: int = 2) -> Path:
    """Pictures of 80 x 60 px, each with one person in the middle, in YOLO's format."""
    rng = np.random.default_rng(1)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(pictures):
        cv2.imwrite(str(folder / "images" / f"{number}.jpg"), rng.integers(0, 255, (60, 80, 3)).astype(np.uint8))
        (folder / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.4 0.8\n", encoding="ascii")
    return folder


def test_the_net_gives_one_row_of_logits_for_each_anchor() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    with torch.no_grad():
        logits = NanoDet().eval()(torch.rand(2, 3, HEIGHT, WIDTH))
    assert logits.shape == (2, ANCHORS, OUTPUTS)
    assert centers.shape == (ANCHORS, 2)
    assert strides.shape == (ANCHORS, 1)
    assert boxes_of(logits, centers, strides).shape == (2, ANCHORS, 4)


def test_anchors_are_inside_the_picture_and_differ() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    assert (centers > 0).all()
    assert (centers < torch.tensor([WIDTH, HEIGHT])).all()
    assert len(torch.unique(torch.cat((centers, strides), 1), dim=0)) == ANCHORS


def test_boxes_without_a_preference_reach_five_strides_to_each_side() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    boxes = boxes_of(torch.zeros(ANCHORS, OUTPUTS), centers, strides)
    torch.testing.assert_close(boxes, torch.cat((centers - 5 * strides, centers + 5 * strides), 1))


def test_the_sides_of_a_box_are_counted_in_strides_of_its_anchor() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    logits = torch.zeros(ANCHORS, OUTPUTS)
    logits[:, 1:].view(ANCHORS, 4, BINS)[..., 2] = 50.0
    boxes = boxes_of(logits, centers, strides)
    torch.testing.assert_close(boxes[:, 2:] - boxes[:, :2], (4 * strides).expand(-1, 2))


def test_blending_goes_from_the_start_to_the_tuned_net() -> None:
    start = NanoDet()
    tuned = copy.deepcopy(start)
    with torch.no_grad():
        for value in tuned.parameters():
            value.mul_(-3.0).add_(1.0)
    ends = [blend(start, tuned, share).state_dict() for share in (0.0, 0.5, 1.0)]
    for name, value in start.state_dict().items():
        other = tuned.state_dict()[name]
        torch.testing.assert_close(ends[0][name], value)
        torch.testing.assert_close(ends[1][name], (value + other) / 2)
        torch.testing.assert_close(ends[2][name], other)


def test_a_saved_net_is_read_as_it_was(tmp_path: Path) -> None:
    net = NanoDet()
    save(net, tmp_path / "deep" / "net.safetensors")
    read = load(tmp_path / "deep" / "net.safetensors").state_dict()
    assert all(torch.equal(read[name], value) for name, value in net.state_dict().items())


def test_each_anchor_belongs_to_one_box_that_holds_it() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    owner = assign(TRUTH, centers, strides)
    assert owner.shape == (ANCHORS,)
    assert set(owner.tolist()) == {-1, 0, 1}
    taken = owner >= 0
    boxes = TRUTH[owner[taken]]
    assert (centers[taken] > boxes[:, :2]).all()
    assert (centers[taken] < boxes[:, 2:]).all()


def test_no_anchor_is_assigned_where_nobody_is() -> None:
    centers, strides = anchors(HEIGHT, WIDTH)
    assert assign(torch.zeros(0, 4), centers, strides).tolist() == [-1] * ANCHORS


@pytest.mark.parametrize("truth", [[TRUTH, TRUTH[:1]], [TRUTH, TRUTH[:0]], [TRUTH[:0], TRUTH[:0]]])
def test_the_loss_and_its_slopes_are_finite_whoever_is_there(truth: list[Tensor]) -> None:
    logits = torch.randn(2, ANCHORS, OUTPUTS, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = detection_loss(logits, truth, *anchors(HEIGHT, WIDTH))
    loss.backward()
    assert torch.isfinite(loss)
    assert loss > 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_right_boxes_cost_less_than_shifted_ones_and_no_score_costs_more() -> None:
    places = anchors(HEIGHT, WIDTH)
    right = make_logits(TRUTH)
    shifted, silent = right.clone(), right.clone()
    shifted[..., 1:] = right[..., 1:].unflatten(-1, (4, BINS)).roll(1, -1).flatten(-2)
    silent[..., 0] = -12.0
    costs = [float(detection_loss(logits, [TRUTH], *places)) for logits in (right, shifted, silent)]
    assert costs[0] < costs[1]
    assert costs[0] < costs[2]


def test_right_logits_give_the_boxes_back() -> None:
    places = anchors(HEIGHT, WIDTH)
    owner = assign(TRUTH, *places)
    boxes = boxes_of(make_logits(TRUTH)[0], *places)
    torch.testing.assert_close(boxes[owner >= 0], TRUTH[owner[owner >= 0]], atol=0.05, rtol=0)


@pytest.mark.parametrize("clockwise", [True, False])
def test_four_quarter_turns_change_nothing(clockwise: bool) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    boxes = np.array([[3, 5, 20, 30], [30, 0, 60, 40]], np.float32)
    turned, moved = image, boxes
    for _ in range(4):
        turned, moved = quarter_turn(turned, moved, clockwise=clockwise)
    assert (turned == image).all()
    np.testing.assert_array_equal(moved, boxes)


@pytest.mark.parametrize("clockwise", [True, False])
def test_a_turned_box_holds_what_it_held(clockwise: bool) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:30, 3:20] = 255
    turned, boxes = quarter_turn(image, np.array([[3, 5, 20, 30]], np.float32), clockwise=clockwise)
    x0, y0, x1, y1 = boxes[0].astype(int)
    assert (turned[y0:y1, x0:x1] == 255).all()
    assert turned.sum() == image.sum()


def test_drawn_boxes_are_inside_the_picture_and_not_tiny(tmp_path: Path) -> None:
    rows = read_folder(write_folder(tmp_path))
    rng, found = np.random.default_rng(0), 0
    small = Labeled(path=rows[0].path, boxes=np.array([[0.1, 0.1, 0.16, 0.2]], np.float32))
    for row in [rows[0], rows[1], small] * 20:
        image, boxes = draw(row, 64, rng, turn=0.5)
        assert image.shape == (64, 64, 3)
        assert image.dtype == np.uint8
        assert boxes.dtype == np.float32
        assert boxes.shape[1:] == (4,)
        assert ((boxes >= 0) & (boxes <= 64)).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE_PX - 1e-3).all()
        found += len(boxes)
    assert found > 20


def test_pictures_without_persons_can_be_drawn(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, pictures=1)
    (folder / "labels" / "0.txt").write_text("", encoding="ascii")
    _, boxes = draw(read_folder(folder)[0], 64, np.random.default_rng(0), turn=1.0)
    assert boxes.shape == (0, 4)


def test_labels_without_a_picture_are_left_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "images" / "1.jpg").unlink()
    (row,) = read_folder(folder)
    np.testing.assert_allclose(row.boxes, [[0.3, 0.1, 0.7, 0.9]], atol=1e-6)


def test_a_tuner_goes_on_from_its_check_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "SIZES", (64,))
    clock = itertools.count()
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))  # a second a step
    tiles, real = write_folder(tmp_path / "tiles"), write_folder(tmp_path / "real")
    save(NanoDet(), tmp_path / "start.safetensors")
    recipe = train.Recipe(minutes=2 / 60, tiles_a_batch=1, real_a_batch=1)
    first = train.Tuner(tmp_path / "start.safetensors", tmp_path / "out", recipe)
    mean = first.run(tiles, real)
    assert (first.step, first.spent) == (2, 2.0)
    second = train.Tuner(tmp_path / "start.safetensors", tmp_path / "out", recipe)
    assert (second.step, second.spent) == (2, 2.0)
    for ours, theirs in zip(second.net.parameters(), first.net.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert second.optimizer.state_dict()["state"].keys() == first.optimizer.state_dict()["state"].keys()
    written = load(tmp_path / "out" / "mean.safetensors").state_dict()
    assert all(torch.equal(written[name], value) for name, value in mean.state_dict().items())
    assert not list((tmp_path / "out").glob("*.partial"))
    second.run(tiles, real)
    assert second.step == 2

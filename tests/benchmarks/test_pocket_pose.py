"""Training of the pose net: reading graphs, what the heads are to say, turns, and what is cut around a person."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pocket.pose import evaluation, graph, losses
from benchmarks.pocket.pose.augment import augmented, plain
from benchmarks.pocket.pose.net import CELLS, SIDE_PX
from benchmarks.pocket.pose.samples import People, match_rows


def people(turns: int = 0) -> People:
    """One person whose joints are white dots."""
    rng = np.random.default_rng(3)
    image, joints = np.zeros((160, 160, 3), np.uint8), rng.uniform(0.3, 0.7, (17, 2)).astype(np.float32)
    for x, y in (joints * 160).astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    return People(
        images=image[None],
        joints=joints[None],
        known=np.ones((1, 17), bool),
        boxes=np.array([[0.25, 0.25, 0.75, 0.75]], np.float32),
        behaviors=("lying",),
    )


def save_graph(folder: Path) -> Path:
    kernel = np.arange(3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 2, 4)
    bias = np.arange(4, dtype=np.float32)
    (folder / "a.bin").write_bytes(kernel.astype(np.float16).tobytes() + bias.tobytes())
    halved = {"dtype": "float16", "original_dtype": "float32"}
    weights = [
        {"name": "kernel", "shape": [3, 3, 2, 4], "dtype": "float32", "quantization": halved},
        {"name": "bias", "shape": [4], "dtype": "float32"},
    ]
    fused = [base64.b64encode(name.encode()).decode() for name in ("BiasAdd", "Relu6")]
    attributes = {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "fused_ops": {"list": {"s": fused}}}
    nodes = [
        {"name": "kernel", "op": "Const"},
        {"name": "bias", "op": "Const"},
        {"name": "conv", "op": "_FusedConv2D", "input": [graph.IMAGE, "kernel", "bias"], "attr": attributes},
    ]
    model = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["a.bin"], "weights": weights}]}
    (folder / "a.json").write_text(json.dumps(model))
    return folder / "a.json"


def test_nodes_and_weights_are_read(tmp_path: Path) -> None:
    nodes, constants = graph.read_graph(save_graph(tmp_path))
    assert graph.order_nodes(nodes, ["conv"]) == ["conv"]
    step = graph.to_step(nodes["conv"], constants)
    assert (step.stride, step.activation, step.inputs) == (2, "Relu6", (graph.IMAGE, "kernel", "bias"))
    kernel = graph.to_torch(constants["kernel"], depthwise=False)
    assert kernel.shape == (4, 2, 3, 3)
    assert kernel[1, 0, 2, 1] == constants["kernel"][2, 1, 0, 1]
    assert graph.to_torch(constants["kernel"][..., :1], depthwise=True).shape == (2, 1, 3, 3)


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="Softmax"):
        graph.to_step({"name": "a", "op": "Softmax", "input": [], "attr": {}}, {})


def test_padding_is_that_of_tensorflow() -> None:
    assert graph.pad_same(torch.zeros(1, 1, 8, 8), 3).shape == (1, 1, 9, 9)
    assert graph.pad_same(torch.ones(1, 1, 8, 8), 3)[0, 0, -1].sum() == 0


def heads(joints: torch.Tensor) -> dict[str, torch.Tensor]:
    """Heads that say exactly where the joints (1, 17, 2) are."""
    line = torch.arange(CELLS, dtype=torch.float32)
    places = joints * CELLS
    y = (places[..., 1, None, None] - line[:, None]).expand(1, 17, CELLS, CELLS)
    x = (places[..., 0, None, None] - line).expand(1, 17, CELLS, CELLS)
    pairs = torch.stack([y, x], 2).flatten(1, 2)
    bump = torch.exp(-(x**2 + y**2)) * 24 - 12
    center = places[:, 5:].mean(1)
    blob = torch.exp(-((line - center[0, 0]) ** 2 + (line[:, None] - center[0, 1]) ** 2)) * 24 - 12
    return {"heatmap": bump, "offset": pairs, "regress": pairs, "center": blob[None, None]}


def test_the_loss_is_least_where_the_heads_are_right() -> None:
    joints, known = torch.rand(1, 17, 2) * 0.6 + 0.2, torch.ones(1, 17, dtype=torch.bool)
    right = losses.pose_loss(heads(joints), joints, known)
    assert right < losses.pose_loss(heads(joints + 0.1), joints, known)
    assert right < losses.pose_loss(heads(joints.flip(1)), joints, known)


def test_unknown_joints_and_those_outside_cost_no_offset() -> None:
    joints = torch.full((1, 17, 2), 1.5)
    loss = losses.pose_loss(heads(joints), joints, torch.zeros(1, 17, dtype=torch.bool))
    assert torch.isfinite(loss)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_joints_are_turned_back(turn: int) -> None:
    joints = np.random.default_rng(0).random((1, 17, 3)).astype(np.float32)
    image = np.zeros((100, 100), np.uint8)
    x, y = (joints[0, 0, :2] * 100).astype(int)
    image[y, x] = 1
    row, column = np.argwhere(np.rot90(image, turn))[0]
    seen = np.array([[[(column + 0.5) / 100, (row + 0.5) / 100, 1]]], np.float32)
    back = evaluation.turn_back(seen, turn)[0, 0]
    np.testing.assert_allclose(back[:2], [(x + 0.5) / 100, (y + 0.5) / 100], atol=1e-5)


def test_joints_stay_on_their_dots_in_pictures_that_are_cut_and_changed() -> None:
    image, joints = plain(people(), 0)
    rng = np.random.default_rng(1)
    cases = [(image, joints), *(augmented(people(), 0, rng)[:2] for _ in range(20))]
    for picture, places in cases:
        pixels = np.round(places * SIDE_PX).astype(int)
        inside = pixels[((pixels > 2) & (pixels < SIDE_PX - 3)).all(1)]
        bright = [picture[y - 2 : y + 3, x - 2 : x + 3].max() for x, y in inside]
        assert np.mean(np.array(bright) > np.median(picture) + 20) > 0.9


def test_the_persons_a_teacher_saw_are_found_again() -> None:
    boxes = np.arange(20, dtype=np.float32).reshape(5, 4)
    assert match_rows(boxes, boxes[[0, 2, 4]]) == [0, 2, 4]


def test_right_joints_count_as_found_and_mirrored_ones_if_sides_are_free() -> None:
    one = people()
    exact = np.concatenate([plain(one, 0)[1], np.ones((17, 1), np.float32)], 1)[None]
    assert evaluation.score(exact, one)["lying"] == {"n": 1, "found": 1.0, "found, sides free": 1.0}
    swapped = evaluation.score(exact[:, list(evaluation.SWAPPED)], one)["all"]
    assert swapped["found, sides free"] == 1.0 > swapped["found"]

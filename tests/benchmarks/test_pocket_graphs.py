"""Graphs whose weights stay in model.safetensors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from anomalylmm.models.onnx.graphs import WEIGHTS_FILE, Graph
from anomalylmm.models.weights import GRAPH_SUFFIX, ResolvedWeights
from benchmarks.pocket.graphs import export, find_tensor, read_places, refer_to_weights


@pytest.mark.parametrize("stored", [torch.float16, torch.float32])
def test_a_graph_computes_with_the_tensors_of_the_file_and_holds_none_itself(
    tmp_path: Path, stored: torch.dtype
) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 3)).requires_grad_(False)
    tensors = {f"model.{name}": value.to(stored) for name, value in module.state_dict().items()}
    module.load_state_dict({name.removeprefix("model."): value.float() for name, value in tensors.items()})
    save_file(tensors, tmp_path / WEIGHTS_FILE)
    path = tmp_path / f"small{GRAPH_SUFFIX}"
    export(module, {"given": torch.randn(2, 64)}, {"given": {0: "n"}, "made": {0: "n"}}, path)
    with_weights = path.stat().st_size
    refer_to_weights(path, tmp_path, {"note": "kept"})
    assert path.stat().st_size < with_weights / 4
    weights = ResolvedWeights(path=tmp_path, model_id="small", digest="", license="", source="local")
    graph, given = Graph(weights, "small"), torch.randn(5, 64)
    np.testing.assert_allclose(graph(given=given.numpy())[0], module(given).numpy(), atol=1e-5)
    assert graph.notes["note"] == "kept"


def test_the_place_of_a_tensor_is_that_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / WEIGHTS_FILE
    save_file({"first": torch.zeros(3), "second": torch.arange(4, dtype=torch.float16)}, file)
    kind, start, size = read_places(file)["second"]
    assert kind == "F16"
    assert np.frombuffer(file.read_bytes()[start : start + size], np.float16).tolist() == [0, 1, 2, 3]


def test_of_equal_tensors_the_one_named_most_alike_is_taken() -> None:
    ones = torch.ones(2)
    stored = {"layers.0.norm.weight": ones, "layers.1.norm.weight": ones, "layers.1.norm.bias": torch.zeros(2)}
    assert find_tensor("model.layers.1.norm.weight", ones, stored) == "layers.1.norm.weight"
    assert find_tensor("layers.1.norm.weight", torch.full((2,), 0.5), stored) is None

"""Graphs next to weights: what belongs to them, and that they change no identity."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.graphs import ENCODER_GRAPHS, JUDGE_GRAPHS, WEIGHTS_FILE, Graph, has_graphs
from anomalylmm.models.weights import GRAPH_SUFFIX, digest_of, resolve


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve("pocket/judge", "judge").path, tmp_path / "judge"))


def test_the_shipped_models_have_graphs_of_their_own_weights() -> None:
    for name, graphs in (("dual_encoder", ENCODER_GRAPHS), ("judge", JUDGE_GRAPHS)):
        weights = resolve(f"pocket/{name}", name)  # type: ignore[arg-type]
        assert has_graphs(weights, graphs)
        for graph in graphs:
            Graph(weights, graph)


def test_graphs_hold_no_weights_and_are_no_part_of_a_models_identity(copy: Path) -> None:
    before = digest_of(copy)
    graphs = list(copy.glob(f"*{GRAPH_SUFFIX}"))
    assert len(graphs) == len(JUDGE_GRAPHS)
    assert sum(graph.stat().st_size for graph in graphs) < 400_000 < (copy / WEIGHTS_FILE).stat().st_size
    for graph in graphs:
        graph.unlink()
    assert digest_of(copy) == before
    assert not has_graphs(resolve(str(copy), "judge"), JUDGE_GRAPHS)


def test_a_graph_of_other_weights_is_refused(copy: Path) -> None:
    file = copy / WEIGHTS_FILE
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"another model\.safetensors; remove"):
        Graph(resolve(str(copy), "judge"), "vision")


def test_damaged_and_missing_graphs_are_named(copy: Path) -> None:
    weights = resolve(str(copy), "judge")
    (copy / f"vision{GRAPH_SUFFIX}").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match=r"vision\.graph\.onnx can't be loaded"):
        Graph(weights, "vision")
    with pytest.raises(WeightsError, match='set runtime = "torch"'):
        Graph(weights, "image")


def test_a_side_that_may_be_any_has_no_size() -> None:
    graph = Graph(resolve("pocket/judge", "judge"), "language")
    assert graph.side("before", 2) == 4
    with pytest.raises(WeightsError, match="no fixed size"):
        graph.side("before", 3)
    logs, states = graph(
        seen=np.zeros((3, 2, 192), np.float32),
        positions=np.arange(2),
        mask=np.zeros((2, 2), np.float32),
        before=np.zeros((3, 6, 4, 0, 48), np.float32),
        asked=np.array([1]),
    )
    assert (logs.shape[:2], states.shape) == ((3, 1), (3, 6, 4, 2, 48))

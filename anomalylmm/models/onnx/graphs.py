"""Runs the ONNX graphs next to an encoder or judge: how it computes, with the weights left in model.safetensors."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.openvino_streams import num_cores
from anomalylmm.models.weights import GRAPH_SUFFIX, ResolvedWeights, file_digest

WEIGHTS_FILE = "model.safetensors"
DIGEST_KEY = "weights_sha256"
ENCODER_GRAPHS = ("image", "patches", "text")
JUDGE_GRAPHS = ("vision", "language")


def has_graphs(weights: ResolvedWeights, names: Iterable[str]) -> bool:
    """Returns whether a model's folder has these graphs."""
    return all(_path(weights, name).is_file() for name in names)


class Graph:
    """One graph of a model, run by ONNX Runtime on the CPU."""

    def __init__(self, weights: ResolvedWeights, name: str) -> None:
        """Loads the graph with its weights.

        Raises:
            WeightsError: It is missing or damaged, or was written for other weights.
        """
        import onnxruntime

        path = _path(weights, name)
        if not path.is_file():
            raise WeightsError(f'{path} is not there; set runtime = "torch" for this model')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the errors of onnxruntime have no base of their own
            raise WeightsError(f"{path} can't be loaded: {error}; {_remedy(path)}") from error
        self.notes: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if self.notes.get(DIGEST_KEY) != file_digest(path.with_name(WEIGHTS_FILE)):
            raise WeightsError(f"{path} was written for another {WEIGHTS_FILE}; {_remedy(path)}")

    def __call__(self, **inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Runs the graph and gives its outputs."""
        return list(self._session.run(None, inputs))

    def side(self, name: str, number: int) -> int:
        """The fixed size of one side of an input.

        Raises:
            WeightsError: The graph has no such input, or that side may have any size.
        """
        sides = {given.name: given.shape for given in self._session.get_inputs()}.get(name, [])
        if number >= len(sides) or not isinstance(sides[number], int):
            raise WeightsError(
                f"the graph's input {name} has no fixed size; its inputs are {self._session.get_inputs()}"
            )
        return int(sides[number])


def _path(weights: ResolvedWeights, name: str) -> Path:
    return weights.path / f"{name}{GRAPH_SUFFIX}"


def _remedy(path: Path) -> str:
    return f"remove the *{GRAPH_SUFFIX} files from {path.parent}, so that torch runs the model"

"""MoveNet's graph, read from the files of TensorFlow.js into a torch module that can be trained."""

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ROOT = "StatefulPartitionedCall/"
IMAGE = ROOT + "sub_1"
HEADS = {
    "center": ROOT + "center_0/conv2d_4/BiasAdd",
    "regress": ROOT + "kpt_regress_0/conv2d_6/BiasAdd",
    "heatmap": ROOT + "kpt_heatmap_0/conv2d_5/BiasAdd",
    "offset": ROOT + "kpt_offset_0/conv2d_7/BiasAdd",
}
CONVOLUTIONS = ("_FusedConv2D", "FusedDepthwiseConv2dNative", "DepthwiseConv2dNative")
STORED = {"float16": np.float16, "float32": np.float32, "int32": np.int32, "uint8": np.uint8, "bool": np.uint8}


class Step(NamedTuple):
    """One operation on values that were computed before."""

    op: str
    output: str
    inputs: tuple[str, ...]
    stride: int = 1
    activation: str = ""
    size: tuple[int, int] = (0, 0)


def read_graph(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads a model of TensorFlow.js: its nodes by name and its constants by name, floats as float32."""
    model = json.loads(path.read_text())
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    constants: dict[str, np.ndarray] = {}
    for group in model["weightsManifest"]:
        data, start = b"".join((path.parent / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            stored = np.dtype(STORED[entry.get("quantization", entry)["dtype"]])
            count = int(np.prod(entry["shape"], dtype=int))
            array = np.frombuffer(data, stored, count, start).reshape(entry["shape"])
            constants[entry["name"]] = array.astype(STORED[entry["dtype"]])
            start += array.nbytes
    return nodes, constants


class HeadGraph(nn.Module):
    """The part of MoveNet from the scaled image to its four heads."""

    def __init__(self, path: Path) -> None:
        """Reads the graph.

        Args:
            path: MoveNet's ``.json``, with its ``.bin`` beside it.
        """
        super().__init__()
        nodes, constants = read_graph(path)
        self.steps = [to_step(nodes[name], constants) for name in order_nodes(nodes, list(HEADS.values()))]
        depthwise = {step.inputs[1] for step in self.steps if "Depthwise" in step.op}
        used = {name for step in self.steps for name in step.inputs if name in constants}
        self.weights = nn.ParameterDict(
            {to_key(name): nn.Parameter(to_torch(constants[name], name in depthwise)) for name in sorted(used)}
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Computes the heads.

        Args:
            image: (N, 3, S, S), -1..1, RGB.

        Returns:
            By name of head: (N, C, S/4, S/4) before any sigmoid, C 1, 34, 17 and 34; pairs are y then x.
        """
        values = {IMAGE: image}
        for step in self.steps:
            values[step.output] = self._run(step, [self._value(values, name) for name in step.inputs])
        return {head: values[name] for head, name in HEADS.items()}

    def _value(self, values: dict[str, Tensor], name: str) -> Tensor:
        return values[name] if name in values else self.weights[to_key(name)]

    def _run(self, step: Step, inputs: list[Tensor]) -> Tensor:
        if step.op == "AddV2":
            return inputs[0] + inputs[1]
        if step.op == "ResizeBilinear":
            return functional.interpolate(inputs[0], size=step.size, mode="bilinear", align_corners=False)
        image, kernel = inputs[0], inputs[1]
        groups = kernel.shape[0] if "Depthwise" in step.op else 1
        bias = inputs[2] if len(inputs) > 2 else None
        if step.stride == 1:
            image = functional.conv2d(image, kernel, bias, 1, kernel.shape[-1] // 2, groups=groups)
        else:
            image = functional.conv2d(pad_same(image, kernel.shape[-1]), kernel, bias, step.stride, groups=groups)
        if step.activation == "Relu6":
            return functional.relu6(image)
        return functional.relu(image) if step.activation == "Relu" else image


def order_nodes(nodes: dict[str, Any], outputs: list[str]) -> list[str]:
    """Names the nodes between the image and the outputs, each after those that it needs."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order or name == IMAGE or nodes[name]["op"] == "Const":
            return
        for needed in nodes[name].get("input", []):
            visit(needed)
        order[name] = None

    for output in outputs:
        visit(output)
    return list(order)


def to_step(node: dict[str, Any], constants: dict[str, np.ndarray]) -> Step:
    """Reads one node.

    Raises:
        ValueError: The graph holds an operation that MoveNet has not.
    """
    op, inputs, attributes = node["op"], tuple(node["input"]), node["attr"]
    if op == "AddV2":
        return Step(op, node["name"], inputs)
    if op == "ResizeBilinear":
        height, width = constants[inputs[1]].tolist()
        return Step(op, node["name"], inputs[:1], size=(height, width))
    if op not in CONVOLUTIONS:
        raise ValueError(f"MoveNet has no operation {op}")
    fused = [base64.b64decode(name).decode() for name in attributes.get("fused_ops", {}).get("list", {}).get("s", [])]
    activation = next((name for name in fused if name.startswith("Relu")), "")
    return Step(op, node["name"], inputs, int(attributes["strides"]["list"]["i"][1]), activation)


def to_torch(array: np.ndarray, depthwise: bool) -> Tensor:
    """Turns a constant's axes into torch's: kernels (H, W, in, out) to (out, in, H, W), depthwise (C, 1, H, W)."""
    if array.ndim < 4:
        return torch.from_numpy(array.copy())
    axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))


def to_key(name: str) -> str:
    """A node's name as a key of a module, where dots part modules."""
    return name.removeprefix(ROOT).replace(".", "_").replace("/", "|")


def pad_same(image: Tensor, kernel: int) -> Tensor:
    """Pads (N, C, even H, even W) as TensorFlow's SAME does for a stride of 2: more at the right and below."""
    total = kernel - 2
    before = total // 2
    return functional.pad(image, (before, total - before, before, total - before))

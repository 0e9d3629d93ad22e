"""Writes how an encoder or a judge computes, as ONNX graphs whose weights stay in model.safetensors.

    python -m benchmarks.pocket.graphs anomalylmm/weights/pocket/dual_encoder anomalylmm/weights/pocket/judge

A graph names each weight by its place in that file, so the weights are there once, and it belongs to that very file:
its digest is noted in the graph. The programs run graphs without torch and transformers.
"""

import argparse
import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForImageTextToText

from anomalylmm.models.encode.patches import patch_vectors
from anomalylmm.models.onnx.graphs import DIGEST_KEY, WEIGHTS_FILE
from anomalylmm.models.weights import GRAPH_SUFFIX

OPSET = 17
KINDS = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
Axes = Mapping[str, Mapping[int, str]]


class ImageGraph(nn.Module):
    """Pixels (N, 3, H, W) to vectors (N, D)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model.get_image_features(pixel_values=pixels).pooler_output


class PatchGraph(ImageGraph):
    """Pixels (N, 3, H, W) to the vectors of patches (N, rows, columns, D)."""

    def forward(self, pixels: Tensor) -> Tensor:
        return patch_vectors(self.model, {"pixel_values": pixels})


class TextGraph(ImageGraph):
    """Tokens (Q, T) and their mask (Q, T) to vectors (Q, D)."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output


class VisionGraph(ImageGraph):
    """Pixels (N, 3, H, W) to the image tokens that the language model reads, (N, P, D)."""

    def forward(self, pixels: Tensor) -> Tensor:
        inner = self.model.model  # its get_image_features would split the batch
        return inner.multi_modal_projector(inner.vision_tower(pixels, output_hidden_states=True).hidden_states[-1])


class LanguageGraph(nn.Module):
    """A Llama that reads N sequences of T tokens behind what it has read of them before.

    Takes the tokens' embeddings (N, T, D), their positions (T,), a mask to be added to the attention (T, B + T), keys
    and values of the B tokens before (N, 2 * layers, heads, B, d), and the tokens whose successors are asked for (K,).
    Gives the logarithms of the successors' probabilities (N, K, V), and keys and values of the new tokens.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.language, self.head = model.model.language_model, model.lm_head

    def forward(self, seen: Tensor, positions: Tensor, mask: Tensor, before: Tensor, asked: Tensor) -> Any:
        cos, sin = self.language.rotary_emb(seen, positions[None])  # 1,T,d
        states: list[Tensor] = []
        for number, layer in enumerate(self.language.layers):
            past = before[:, 2 * number], before[:, 2 * number + 1]
            told, own = _attend(layer.self_attn, layer.input_layernorm(seen), (cos, sin), mask, past)
            seen = seen + told
            seen = seen + layer.mlp(layer.post_attention_layernorm(seen))
            states += own
        hidden = self.language.norm(seen[:, asked])
        return torch.log_softmax(self.head(hidden), dim=-1), torch.stack(states, dim=1)


def _attend(
    attention: Any, seen: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, past: tuple[Tensor, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Attention over what was read before and the new tokens; also keys and values of the latter."""
    ways = (attention.q_proj, attention.k_proj, attention.v_proj)
    queries, keys, values = (way(seen).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2) for way in ways)
    queries, keys = (_turn(vectors, *turn) for vectors in (queries, keys))
    own = [keys, values]
    keys, values = (torch.cat(pair, dim=2) for pair in zip(past, own, strict=True))
    if attention.num_key_value_groups > 1:
        keys, values = (item.repeat_interleave(attention.num_key_value_groups, dim=1) for item in (keys, values))
    weights = torch.softmax(queries @ keys.transpose(2, 3) * attention.scaling + mask, dim=-1)
    return attention.o_proj((weights @ values).transpose(1, 2).flatten(2)), own


def _turn(vectors: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of (N, heads, T, d)."""
    first, second = vectors.chunk(2, dim=-1)
    return vectors * cos[:, None] + torch.cat([-second, first], dim=-1) * sin[:, None]


def export(graph: nn.Module, inputs: Mapping[str, Tensor], axes: Axes, path: Path) -> None:
    """Writes a graph with its weights, each under its name in the module; ``axes`` also names the outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter, the one that needs no further library
        torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=[name for name in axes if name not in inputs],
            dynamic_axes={name: dict(sides) for name, sides in axes.items()},
            opset_version=OPSET,
            do_constant_folding=False,
            dynamo=False,
        )


def refer_to_weights(path: Path, folder: Path, notes: Mapping[str, str]) -> None:
    """Replaces a graph's weights by references to the tensors of ``model.safetensors`` that are equal to them."""
    model, file = onnx.load(str(path)), folder / WEIGHTS_FILE
    for node in model.graph.node:
        node.ClearField("doc_string")
    places, stored = read_places(file), load_tensors(file)
    kept = []
    for held in model.graph.initializer:
        value = torch.from_numpy(onnx.numpy_helper.to_array(held).copy())
        name = find_tensor(held.name, value, stored)
        if name is None:
            kept.append(held)
            continue
        kind, start, size = places[name]
        reference = TensorProto(name=f"{held.name}.stored", data_type=KINDS[kind], dims=list(held.dims))
        reference.data_location = TensorProto.EXTERNAL
        facts = {"location": WEIGHTS_FILE, "offset": str(start), "length": str(size)}
        reference.external_data.extend(onnx.StringStringEntryProto(key=key, value=fact) for key, fact in facts.items())
        kept.append(reference)
        model.graph.node.insert(0, helper.make_node("Cast", [reference.name], [held.name], to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    helper.set_model_props(model, {DIGEST_KEY: digest, **notes})
    path.write_bytes(model.SerializeToString())


def read_places(file: Path) -> dict[str, tuple[str, int, int]]:
    """The type, first byte and number of bytes of each tensor in a safetensors file."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return {
        name: (
            entry["dtype"],
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def load_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, floats as float32."""
    with safe_open(file, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dictionary
    return {name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()}


def find_tensor(own: str, value: Tensor, stored: Mapping[str, Tensor]) -> str | None:
    """The stored tensor that is equal, of several the one whose name ends most alike; None if there is none."""
    equal = [name for name, tensor in stored.items() if tensor.shape == value.shape and torch.equal(tensor, value)]
    return max(equal, key=lambda name: _count_alike(own.split("."), name.split(".")), default=None)


def _count_alike(first: list[str], second: list[str]) -> int:
    alike = [a == b for a, b in zip(reversed(first), reversed(second), strict=False)]
    return alike.index(False) if False in alike else len(alike)


def write_encoder_graphs(folder: Path) -> None:
    """Writes the graphs of a dual encoder."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").requires_grad_(False)
    side = model.config.vision_config.image_size
    pixels, tokens = {"pixels": torch.randn(2, 3, side, side)}, torch.randint(5, 50, (2, 9))
    for name, graph in (("image", ImageGraph(model)), ("patches", PatchGraph(model))):
        _write(folder, name, graph, pixels, {"pixels": {0: "n"}, "vectors": {0: "n"}})
    read = {"tokens": tokens, "mask": torch.ones_like(tokens)}
    axes = {name: {0: "q", 1: "t"} for name in read}
    _write(folder, "text", TextGraph(model), read, {**axes, "vectors": {0: "q"}})


def write_judge_graphs(folder: Path) -> None:
    """Writes the graphs of a judge that puts image tokens before a Llama."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model.requires_grad_(False)
    side, text = model.config.vision_config.image_size, model.config.text_config
    pixels = {"pixels": torch.randn(2, 3, side, side)}
    _write(folder, "vision", VisionGraph(model), pixels, {"pixels": {0: "n"}, "tokens": {0: "n"}})
    given = {
        "seen": torch.randn(2, 3, text.hidden_size),
        "positions": torch.arange(4, 7),
        "mask": torch.zeros(3, 7),
        "before": torch.randn(2, 2 * text.num_hidden_layers, text.num_key_value_heads, 4, text.head_dim),
        "asked": torch.tensor([1, 2]),
    }
    axes: Axes = {
        "seen": {0: "n", 1: "t"},
        "positions": {0: "t"},
        "mask": {0: "t", 1: "all"},
        "before": {0: "n", 3: "b"},
        "asked": {0: "k"},
        "logs": {0: "n", 1: "k"},
        "states": {0: "n", 3: "t"},
    }
    table = find_tensor("embed_tokens.weight", model.get_input_embeddings().weight, load_tensors(folder / WEIGHTS_FILE))
    _write(folder, "language", LanguageGraph(model), given, axes, {"embeddings": str(table)})


def _write(
    folder: Path,
    name: str,
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    axes: Axes,
    notes: Mapping[str, str] | None = None,
) -> None:
    path = folder / f"{name}{GRAPH_SUFFIX}"
    export(graph, inputs, axes, path)
    refer_to_weights(path, folder, notes or {})


def write_graphs(folder: Path) -> None:
    """Writes the graphs of the model in a folder."""
    is_judge = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "llava"
    (write_judge_graphs if is_judge else write_encoder_graphs)(folder)


def main() -> None:
    """Writes the graphs of the models in the given folders."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.graphs", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders with config.json and model.safetensors")
    for folder in parser.parse_args().folders:
        write_graphs(folder)


if __name__ == "__main__":
    main()

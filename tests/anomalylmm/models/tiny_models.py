"""Random models of the real classes, a few kilobytes each, saved as the hub's folders are."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from anomalylmm.models.weights import ResolvedWeights, WeightsKind, resolve

WORDS = [
    "a",
    "man",
    "woman",
    "in",
    "red",
    "coat",
    "is",
    "falling",
    "down",
    "running",
    "lying",
    "on",
    "the",
    "ground",
    "yes",
    "no",
    "does",
    "this",
    "show",
    "fill",
    "blank",
]
SIDE = 32
PADDING, UNKNOWN = "[PAD]", "[UNK]"
CHAT = (
    "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% elif c['type'] == 'video' %}<video>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
SMOL_TOKENS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end>", "<video>")
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def build_tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of a few words and all letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [PADDING, UNKNOWN, *WORDS, "user", "assistant", *letters, *(f"##{letter}" for letter in letters), *".,?:"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PADDING, unk_token=UNKNOWN, model_max_length=64, **options
    )


def save(folder: Path, model: Any, processor: Any) -> Path:
    """Writes a model and its processor."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """A SigLIP dual encoder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(model_input_names=["input_ids"])
    text = {**SMALL, "vocab_size": len(tokenizer), "max_position_embeddings": 16}
    config = SiglipConfig(text_config=text, vision_config={**SMALL, "image_size": SIDE, "patch_size": 8})
    processor = SiglipProcessor(SiglipImageProcessor(size={"height": SIDE, "width": SIDE}), tokenizer)
    return save(folder, SiglipModel(config), processor)


def save_clip(folder: Path) -> Path:
    """A CLIP dual encoder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    text = {**SMALL, "vocab_size": len(tokenizer), "max_position_embeddings": 16, "eos_token_id": 3}
    text |= {"bos_token_id": 2}
    vision = {**SMALL, "image_size": SIDE, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    square = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessor(size=square, crop_size=square, do_center_crop=False)
    return save(folder, CLIPModel(config), CLIPProcessor(images, tokenizer))


def save_smolvlm(folder: Path) -> Path:
    """A SmolVLM judge."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(padding_side="left")
    special = [AddedToken(token, special=True, normalized=False) for token in SMOL_TOKENS]
    tokenizer.add_special_tokens({"additional_special_tokens": special, "eos_token": "<end>"})
    image, end = tokenizer.convert_tokens_to_ids(["<image>", "<end>"])
    config = SmolVLMConfig(
        vision_config={**SMALL, "image_size": SIDE, "patch_size": 8},
        text_config={
            **SMALL,
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "pad_token_id": 0,
            "bos_token_id": None,
            "eos_token_id": end,
        },
        scale_factor=2,
        image_token_id=image,
        pad_token_id=0,
    )
    side = {"longest_edge": SIDE}
    images = SmolVLMImageProcessor(size=side, max_image_size=side, do_image_splitting=False)
    video = SmolVLMVideoProcessor(size=side, max_image_size=side, do_image_splitting=False)
    processor = SmolVLMProcessor(images, tokenizer, video, image_seq_len=4, chat_template=CHAT)
    model = SmolVLMForConditionalGeneration(config)
    with torch.no_grad():  # random weights of small variance would make all answers equally likely
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return save(folder, model, processor)


def save_detector(path: Path, *, names: dict[int, str] | None = None, batch: int | str = 1) -> Path:
    """An ONNX "detector" with one box that leaves the frame; its score is the mean of the red channel."""
    side = 64
    details = {
        "stride": 32,
        "task": "detect",
        "batch": 1,
        "imgsz": [side, side],
        "names": names or {0: "person"},
        "end2end": True,
        "args": {"dynamic": batch != 1},
    }
    model = _box_model((-8, 16, 40, 80), batch, side, ["boxes", "score", "class"])
    helper.set_model_props(model, {name: str(value) for name, value in details.items()})
    onnx.save(model, str(path))
    return path


def save_nanodet(path: Path) -> Path:
    """The same for pictures of any size, as rows of this project's NanoDet: the box is wider than high."""
    onnx.save(_box_model((-8, -8, 32, 16), "batch", 64, ["boxes", "score"]), str(path))
    return path


def _box_model(corners: tuple[int, ...], batch: int | str, side: int, columns: list[str]) -> onnx.ModelProto:
    """A model with one box; its score is the mean of the red channel."""
    sides = [side, side] if batch == 1 else ["height", "width"]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *sides])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 1, 3 + len(columns)])
    box = np.array([[corners]], np.float32)
    red = [
        helper.make_node("ReduceMean", ["images", "places"], ["means"], keepdims=1),  # B,3,1,1
        helper.make_node("Slice", ["means", "zero", "one", "one"], ["red"]),  # B,1,1,1
        helper.make_node("Squeeze", ["red", "three"], ["score"]),  # B,1,1
        helper.make_node("Mul", ["score", "zeros"], ["class"]),
        helper.make_node("Mul", ["score", "zeros4"], ["room"]),  # B,1,4
        helper.make_node("Add", ["room", "box"], ["boxes"]),
        helper.make_node("Concat", columns, ["output0"], axis=2),
    ]
    constants = {
        "places": np.array([2, 3], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "three": np.array([3], np.int64),
        "zeros": np.zeros((1, 1, 1), np.float32),
        "zeros4": np.zeros((1, 1, 4), np.float32),
        "box": box,
    }
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(red, "detector", [images], [output], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 9
    return model


def save_pose(path: Path, side: int = 64, joints: int = 17) -> Path:
    """A net whose joints lie on the square's diagonal, the farther down the brighter the picture; scores alike."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["persons", 3, side, side])
    output = helper.make_tensor_value_info("joints", TensorProto.FLOAT, ["persons", joints, 3])
    steps = np.tile(np.linspace(0.1, 0.9, joints, dtype=np.float32)[:, None], (1, 3)) / 255
    constants = [
        onnx.numpy_helper.from_array(value, name)
        for name, value in {"steps": steps, "shape": np.array([-1, 1, 1], np.int64)}.items()
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["colors"]),
        helper.make_node("ReduceMax", ["colors"], ["bright"], axes=[1], keepdims=1),
        helper.make_node("Reshape", ["bright", "shape"], ["brightness"]),
        helper.make_node("Mul", ["brightness", "steps"], ["joints"]),
    ]
    graph = helper.make_graph(nodes, "pose", [images], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))
    return path


def resolved(path: Path, kind: WeightsKind) -> ResolvedWeights:
    """Resolves a local path."""
    return resolve(str(path), kind)


def write_vocabulary(folder: Path, words: list[str]) -> None:
    """Puts a list of known words beside the weights."""
    (folder / "vocabulary.txt").write_text("\n".join(words), encoding="utf-8")

"""Folders as the hub has them: each family's real settings, with fewer layers, narrower, random weights.

What the files say was written by hand from public copies, which each function names. The learned parts are left out:
weights are random, and a tokenizer knows bytes and a few words only, but has the family's special tokens at their real
numbers, its size, its normalization and the tokens it adds.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipConfig,
    SiglipModel,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

WORDS = ("yes", "Yes", "no", "No", "man", "falling", "running", "red", "blue")
HALF = [0.5, 0.5, 0.5]
NARROW = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
QWEN_IDS = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<|vision_start|>": 151652,
    "<|vision_end|>": 151653,
    "<|image_pad|>": 151655,
    "<|video_pad|>": 151656,
}
QWEN_TEMPLATE = """
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].content is string %}
        {{- messages[0].content }}
    {%- else %}
        {%- for content in messages[0].content %}{%- if 'text' in content %}{{- content.text }}{%- endif %}{%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role != 'system' %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {%- if message.content is string %}
            {{- message.content }}
        {%- else %}
            {%- for content in message.content %}
                {%- if content.type == 'image' or 'image' in content or 'image_url' in content %}
                    {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
                {%- elif content.type == 'video' or 'video' in content %}
                    {{- '<|vision_start|><|video_pad|><|vision_end|>' }}
                {%- elif 'text' in content %}
                    {{- content.text }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
INTERN_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)


def save_siglip2(folder: Path) -> Path:
    """SigLIP 2 of fixed size, as ``google/siglip2-base-patch16-256``.

    Sources: huggingface.co/docs/transformers, page "SigLIP2" (padded to 64, trained on lower case);
    transformers pull request 43101; google-research/big_vision issue 157 (length 64). Its class and configuration are
    SigLIP's, which leave out what is the default (64 positions), and its tokenizer is Gemma's.
    """
    text = {**NARROW, "vocab_size": 256000, "hidden_size": 16, "projection_size": 32}
    vision = {**NARROW, "image_size": 256, "patch_size": 16}
    _save_model(folder, SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
    tokenizer = _build_gemma()
    flags = {"add_bos_token": False, "add_eos_token": True, "do_lower_case": True, "padding_side": "right"}
    names = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    rest = {"model_input_names": ["input_ids"], "model_max_length": 10**30, "tokenizer_class": "GemmaTokenizer"}
    _save_tokenizer(folder, tokenizer, {**flags, **names, **rest, "processor_class": "SiglipProcessor"})
    images = _images("SiglipImageProcessor", "SiglipProcessor", HALF, resample=2, size={"height": 256, "width": 256})
    _write(folder / "preprocessor_config.json", images)
    return folder


def save_smolvlm2(folder: Path) -> Path:
    """SmolVLM2, as ``HuggingFaceTB/SmolVLM2-500M-Video-Instruct``.

    Sources: its configuration files as repeated in public tests of LeRobot's policies that use it; the template is
    transformers' ``processing_smolvlm.py``, without video.
    """
    ids = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2, "<global-img>": 49152}
    ids |= {f"<row_{r + 1}_col_{c + 1}>": 49153 + 6 * r + c for r in range(6) for c in range(6)}
    ids |= {"<fake_token_around_image>": 49189, "<image>": 49190, "<end_of_utterance>": 49279}
    text = {**NARROW, "model_type": "llama", "head_dim": 64, "num_key_value_heads": 1, "vocab_size": 49280}
    text |= {"max_position_embeddings": 8192, "rope_theta": 100000, "pad_token_id": 2}
    config = SmolVLMConfig(
        vision_config={**NARROW, "image_size": 512, "patch_size": 16},
        text_config=text,
        scale_factor=4,
        image_token_id=49190,
        pad_token_id=2,
    )
    _save_model(folder, SmolVLMForConditionalGeneration(config), eos_token_id=49279, pad_token_id=2)
    special = {"fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"}
    special |= {"image_token": "<image>", "end_of_utterance_token": "<end_of_utterance>"}
    names = {"bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>", "pad_token": "<|im_end|>"}
    rest = {"unk_token": "<|endoftext|>", "model_max_length": 8192, "truncation_side": "left"}
    rest |= {"extra_special_tokens": special, "tokenizer_class": "GPT2Tokenizer"}
    _save_tokenizer(folder, _build_byte_level(ids), {**names, **rest, "processor_class": "SmolVLMProcessor"}, ids)
    images = _images(
        "SmolVLMImageProcessor", "SmolVLMProcessor", HALF, resample=1, size={"longest_edge": 2048}, do_pad=True
    )
    images |= {"max_image_size": {"longest_edge": 512}, "do_image_splitting": True}
    images |= {"video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}}}
    _write(folder / "preprocessor_config.json", images)
    _write(folder / "processor_config.json", {"image_seq_len": 64, "processor_class": "SmolVLMProcessor"})
    _write(folder / "chat_template.json", {"chat_template": SMOL_TEMPLATE})
    return folder


def save_qwen3_vl(folder: Path, *, least_pixels: int = 65536, most_pixels: int = 16777216) -> Path:
    """Qwen3-VL, as ``Qwen/Qwen3-VL-8B-Instruct``; embedder and re-ranker are of the same class.

    Sources: the configuration of Qwen3-VL-Embedding-8B at github.com/wenchunchia/MultiModal-Search-Qwen3-VL-Embedding-
    and the image settings of Qwen3-VL as several public repositories repeat them. Left out of the template: tools,
    numbered pictures and earlier answers.
    """
    text = {**NARROW, "head_dim": 128, "num_key_value_heads": 1, "vocab_size": 151936, "rms_norm_eps": 1e-6}
    rope = {"rope_type": "default", "rope_theta": 5000000, "mrope_interleaved": True, "mrope_section": [24, 20, 20]}
    text |= {"max_position_embeddings": 262144, "rope_parameters": rope, "eos_token_id": 151645, "bos_token_id": 151643}
    vision = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
    vision |= {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 2304}
    config = Qwen3VLConfig(
        text_config=text,
        vision_config={**vision, "deepstack_visual_indexes": [0, 1]},
        image_token_id=151655,
        video_token_id=151656,
        vision_start_token_id=151652,
        vision_end_token_id=151653,
        tie_word_embeddings=True,
    )
    _save_model(folder, Qwen3VLForConditionalGeneration(config), eos_token_id=[151645, 151643], pad_token_id=151643)
    names = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "unk_token": None}
    rest = {"model_max_length": 262144, "add_bos_token": False, "tokenizer_class": "Qwen2Tokenizer"}
    _save_tokenizer(folder, _build_byte_level(QWEN_IDS), {**names, **rest}, QWEN_IDS)
    size = {"longest_edge": most_pixels, "shortest_edge": least_pixels}
    images = _images("Qwen2VLImageProcessorFast", "Qwen3VLProcessor", HALF, resample=3, size=size)
    patches = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    _write(folder / "preprocessor_config.json", {**images, **patches})
    video = {**patches, "image_mean": HALF, "image_std": HALF, "processor_class": "Qwen3VLProcessor"}
    video |= {
        "size": {"longest_edge": 25165824, "shortest_edge": 4096},
        "video_processor_type": "Qwen3VLVideoProcessor",
    }
    _write(folder / "video_preprocessor_config.json", video)
    (folder / "chat_template.jinja").write_text(QWEN_TEMPLATE.strip(), encoding="utf-8")
    return folder


def save_internvl3(folder: Path) -> Path:
    """InternVL 3, as ``OpenGVLab/InternVL3-1B-hf``.

    Source: transformers' ``convert_internvl_weights_to_hf.py``, which wrote those folders.
    """
    ids = QWEN_IDS | {"<img>": 151665, "</img>": 151666, "<IMG_CONTEXT>": 151667, "<video>": 151668}
    text = {**NARROW, "model_type": "qwen2", "num_key_value_heads": 1, "vocab_size": 151674, "eos_token_id": 151645}
    text |= {"max_position_embeddings": 32768, "rope_theta": 1000000.0, "tie_word_embeddings": True}
    vision = {**NARROW, "image_size": [448, 448], "patch_size": [14, 14], "use_absolute_position_embeddings": True}
    config = InternVLConfig(
        text_config=text, vision_config=vision, image_token_id=151667, image_seq_length=256, downsample_ratio=0.5
    )
    _save_model(folder, InternVLForConditionalGeneration(config), eos_token_id=151645, pad_token_id=151643)
    special = {"start_image_token": "<img>", "end_image_token": "</img>"}
    special |= {"context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
    names = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "unk_token": None}
    rest = {"model_max_length": 8192, "extra_special_tokens": special, "tokenizer_class": "Qwen2Tokenizer"}
    rest |= {"return_token_type_ids": False, "processor_class": "InternVLProcessor"}
    _save_tokenizer(folder, _build_byte_level(ids), {**names, **rest}, ids)
    size = {"height": 448, "width": 448}
    images = _images("GotOcr2ImageProcessorFast", "InternVLProcessor", [0.485, 0.456, 0.406], resample=3, size=size)
    images |= {"image_std": [0.229, 0.224, 0.225], "crop_to_patches": False, "max_patches": 12, "min_patches": 1}
    _write(folder / "preprocessor_config.json", images)
    _write(folder / "processor_config.json", {"image_seq_length": 256, "processor_class": "InternVLProcessor"})
    (folder / "chat_template.jinja").write_text(INTERN_TEMPLATE, encoding="utf-8")
    return folder


def _images(kind: str, processor: str, mean: Sequence[float], **more: Any) -> dict[str, Any]:
    flags = dict.fromkeys(("do_convert_rgb", "do_normalize", "do_rescale", "do_resize"), True)
    names = {"image_processor_type": kind, "processor_class": processor}
    return {**flags, **names, "image_mean": mean, "image_std": HALF, "rescale_factor": 1 / 255, **more}


def _save_model(folder: Path, model: Any, **generation: Any) -> None:
    with torch.no_grad():  # random weights of small variance would make all answers equally likely
        for parameter in model.parameters():
            parameter.mul_(3.0)
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)


def _save_tokenizer(
    folder: Path, tokenizer: Tokenizer, config: Mapping[str, Any], special: Mapping[str, int] | None = None
) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    added = {str(number): {"content": token, "special": True} for token, number in (special or {}).items()}
    _write(folder / "tokenizer_config.json", {**config, **({"added_tokens_decoder": added} if added else {})})


def _build_byte_level(special: Mapping[str, int]) -> Tokenizer:
    """A byte-level BPE, as GPT-2's, that knows a few words with and without a space before them."""
    free = iter(number for number in range(3, 49152) if number not in special.values())
    vocabulary = {letter: next(free) for letter in sorted(pre_tokenizers.ByteLevel.alphabet())}
    merges = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = next(free)
                merges.append((word[: end - 1], word[end - 1]))
        vocabulary["\u0120" + word] = next(free)
        merges.append(("\u0120", word))
    core = Tokenizer(models.BPE(vocab={**vocabulary, **special}, merges=merges))
    core.add_special_tokens(list(special))
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return core


def _build_gemma() -> Tokenizer:
    """Gemma's BPE: spaces become a mark, unknown letters bytes; the file itself does not lower letters."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = [*"\u2581abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,'"]
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=special[3], fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizers.Replace(" ", "\u2581")
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    core.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens(special)
    core.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return core


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")

"""Random judges of further families, a few hundred kilobytes each: Qwen2.5-VL and InternVL."""

from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from tests.anomalylmm.models.tiny_models import build_tokenizer, save, save_smolvlm
from tests.anomalylmm.models.tiny_qwen import CHAT, MERGE, PATCH, SIZE, SPECIAL, TEXT, VISION, save_qwen3_vl

INTERN_SIDE = 16
INTERN_SPECIAL = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}


def save_qwen2_5_vl(folder: Path) -> Path:
    """A Qwen2.5-VL judge."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(padding_side="left")
    tokenizer.model_max_length = 4096
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    tokenizer.add_special_tokens({"additional_special_tokens": special, "eos_token": "<|im_end|>"})
    images = Qwen2VLImageProcessor(patch_size=PATCH, merge_size=MERGE, size=SIZE)
    videos = Qwen2VLVideoProcessor(patch_size=PATCH, merge_size=MERGE, size=SIZE)
    processor = Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=CHAT)
    image, video, start, end = tokenizer.convert_tokens_to_ids([*SPECIAL[4:], *SPECIAL[2:4]])
    known = ("depth", "hidden_size", "intermediate_size", "num_heads", "patch_size", "spatial_merge_size")
    config = Qwen2_5_VLConfig(
        text_config={
            **{key: value for key, value in TEXT.items() if key != "head_dim"},
            "vocab_size": len(tokenizer),
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            **{key: VISION[key] for key in known},
            "out_hidden_size": 32,
            "window_size": 16,
            "fullatt_block_indexes": [1],
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    return save(folder, spread(Qwen2_5_VLForConditionalGeneration(config)), processor)


def save_internvl(folder: Path) -> Path:
    """An InternVL judge."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(padding_side="left", extra_special_tokens={**INTERN_SPECIAL, "video_token": "<video>"})
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL[:2]]
    tokenizer.add_special_tokens({"additional_special_tokens": special, "eos_token": "<|im_end|>"})
    side = {"height": INTERN_SIDE, "width": INTERN_SIDE}
    images = GotOcr2ImageProcessor(size=side, crop_to_patches=True, max_patches=4)
    template = CHAT.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>")
    template = template.replace("<|vision_start|><|video_pad|><|vision_end|>", "<video>")
    processor = InternVLProcessor(
        images, tokenizer, InternVLVideoProcessor(size=side), image_seq_length=4, chat_template=template
    )
    config = InternVLConfig(
        text_config={
            "model_type": "qwen2",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": len(tokenizer),
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": 0,
            "bos_token_id": None,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [INTERN_SIDE, INTERN_SIDE],
            "patch_size": [4, 4],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    return save(folder, spread(InternVLForConditionalGeneration(config)), processor)


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Makes random weights larger: with those of small variance all answers would be equally likely."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model


SAVERS = {
    "smolvlm": save_smolvlm,
    "qwen2_5_vl": save_qwen2_5_vl,
    "qwen3_vl": save_qwen3_vl,
    "internvl": save_internvl,
}

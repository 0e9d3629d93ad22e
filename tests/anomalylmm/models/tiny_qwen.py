"""Random models of the Qwen3-VL class, a few hundred kilobytes: judge, re-ranker and embedder are all of it."""

from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import (
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tests.anomalylmm.models.tiny_models import build_tokenizer, save

PATCH, MERGE = 4, 2
SIZE = {"shortest_edge": 16 * 16, "longest_edge": 48 * 48}
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif c['type'] == 'video' %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]},
    "pad_token_id": 0,
    "bos_token_id": None,
}
VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "patch_size": PATCH,
    "spatial_merge_size": MERGE,
    "temporal_patch_size": 2,
    "out_hidden_size": 32,
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0],
}


def build_processor() -> Qwen3VLProcessor:
    """The processor: a few words, images of 16 x 16 to 48 x 48 pixels in patches of 4."""
    tokenizer = build_tokenizer(padding_side="left")
    tokenizer.model_max_length = 4096
    tokenizer.add_special_tokens(
        {
            "additional_special_tokens": [AddedToken(token, special=True, normalized=False) for token in SPECIAL],
            "eos_token": "<|im_end|>",
        }
    )
    images = Qwen2VLImageProcessor(patch_size=PATCH, merge_size=MERGE, size=SIZE)
    videos = Qwen3VLVideoProcessor(patch_size=PATCH, merge_size=MERGE, size=SIZE)
    return Qwen3VLProcessor(images, tokenizer, videos, chat_template=CHAT)


def save_qwen3_vl(folder: Path) -> Path:
    """Writes a Qwen3-VL as the hub's folders are: with its language head, embedders too."""
    torch.manual_seed(0)
    processor = build_processor()
    tokenizer = processor.tokenizer
    image, video, start, end = tokenizer.convert_tokens_to_ids([*SPECIAL[4:], *SPECIAL[2:4]])
    config = Qwen3VLConfig(
        text_config={**TEXT, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id},
        vision_config=VISION,
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    model = Qwen3VLForConditionalGeneration(config)
    with torch.no_grad():  # random weights of small variance would make all answers equally likely
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return save(folder, model, processor)

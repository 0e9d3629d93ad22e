"""Architectures of the pocket dual encoder and judge: ordinary transformers classes, small numbers.

The vision tower is a DPT hybrid: a ResNet whose 8 x 8 feature map feeds two transformer layers. At equal
time on two cores it learned postures where a plain ViT or ConvNeXt of the same size learned nothing.
"""

import math

from torch import Tensor, nn
from transformers import (
    BertConfig,
    DPTConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    ResNetConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from benchmarks.pocket.precision import mixed
from benchmarks.pocket.tokens import IMAGE_SIZE, TEXT_TOKENS

WIDTH = 192
STRIDE = 16
STAGES = (48, 96, 192)
IMAGE_TOKENS = (IMAGE_SIZE // STRIDE) ** 2 + 1  # the grid and one summary token


def vision_config() -> DPTConfig:
    """The shared vision tower."""
    grid = IMAGE_SIZE // STRIDE
    return DPTConfig(
        is_hybrid=True,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * WIDTH,
        image_size=IMAGE_SIZE,
        patch_size=STRIDE,
        backbone_featmap_shape=[1, STAGES[-1], grid, grid],
        pooler_act="linear",
        layer_norm_eps=1e-5,
        backbone_config=ResNetConfig(
            embedding_size=32,
            hidden_sizes=list(STAGES),
            depths=[1, 1, 2],
            layer_type="basic",
            out_features=["stage1", "stage2", "stage3"],
        ),
    )


def build_dual_encoder(tokenizer: PreTrainedTokenizerFast) -> VisionTextDualEncoderModel:
    """Build an untrained dual encoder."""
    text = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=512,
        max_position_embeddings=TEXT_TOKENS,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
    )
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        vision_config(), text, projection_dim=WIDTH, logit_scale_init_value=math.log(10.0)
    )
    model = VisionTextDualEncoderModel(config)
    _initialize(model)
    return model


def build_judge(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Build an untrained judge around the same kind of vision tower."""
    end = tokenizer.convert_tokens_to_ids("<end>")
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=320,
        pad_token_id=0,
        bos_token_id=tokenizer.convert_tokens_to_ids("[CLS]"),
        eos_token_id=end,
        tie_word_embeddings=True,
    )
    config = LlavaConfig(
        vision_config=vision_config(),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=IMAGE_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=end,
    )
    model = LlavaForConditionalGeneration(config)
    _initialize(model.model.vision_tower)
    return model


def _initialize(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)


def embed_images(model: VisionTextDualEncoderModel, pixels: Tensor) -> Tensor:
    """Unit vectors of N images, N,D, as the program computes them."""
    return nn.functional.normalize(model.get_image_features(pixel_values=pixels).pooler_output.float(), dim=-1)


def embed_tokens(model: VisionTextDualEncoderModel, tokens: dict[str, Tensor]) -> Tensor:
    """Unit vectors of Q texts, Q,D."""
    return nn.functional.normalize(model.get_text_features(**tokens).pooler_output.float(), dim=-1)


def image_hidden_states(tower: nn.Module, pixels: Tensor) -> Tensor:
    """What the judge's projector sees of N images: N,P,D of the last layer, summary token first."""
    with mixed(str(pixels.device)):
        return tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]

"""The embedding LMM as an encoder: pooling, dimension, template, maps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.encode.lmm_encoder import IMAGE_INSTRUCTION, LmmEncoder
from anomalylmm.models.weights import ResolvedWeights
from tests.adapters import build_lmm_encoder, compose
from tests.anomalylmm.models import tiny_models
from tests.anomalylmm.models.tiny_models import resolved
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

RNG = np.random.default_rng(3)
IMAGES = [RNG.integers(0, 255, (90 + 9 * n, 60, 3), dtype=np.uint8) for n in range(3)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> ResolvedWeights:
    return resolved(save_qwen3_vl(tmp_path_factory.mktemp("qwen")), "dual_encoder")


@pytest.fixture(scope="module")
def encoder(weights: ResolvedWeights) -> LmmEncoder:
    return build_lmm_encoder(weights, device="cpu", batch_size=3)


def test_a_vector_is_the_last_tokens_state_of_the_models_own_template(encoder: LmmEncoder) -> None:
    text = encoder._prompt(IMAGE_INSTRUCTION, {"type": "image"})
    assert text == (
        f"<|im_start|>system\n{IMAGE_INSTRUCTION}<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n<|im_start|>assistant\n"
    )
    inputs = encoder._processor(text=[text], images=[[IMAGES[0]]], return_tensors="pt")
    with torch.inference_mode():
        state = encoder._model(**inputs).last_hidden_state[0, -1]
    expected = torch.nn.functional.normalize(state, dim=0).numpy()
    np.testing.assert_allclose(encoder.encode_images(IMAGES)[0], expected, atol=1e-5)


def test_a_smaller_dimension_keeps_the_first_numbers(encoder: LmmEncoder, weights: ResolvedWeights) -> None:
    small = build_lmm_encoder(weights, device="cpu", dimension=8)
    whole = encoder.encode_images(IMAGES)[:, :8]
    np.testing.assert_allclose(
        small.encode_images(IMAGES), whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5
    )
    assert (small.dimension, encoder.dimension) == (8, 32)


def test_a_dimension_beyond_the_models_is_refused(weights: ResolvedWeights) -> None:
    with pytest.raises(ConfigurationError, match=r"dimension is 64, .* gives 32"):
        build_lmm_encoder(weights, device="cpu", dimension=64)


def test_what_decides_the_vectors_is_in_the_name(weights: ResolvedWeights) -> None:
    encoder = {"weights": str(weights.path), "family": "lmm", "dimension": 8, "max_pixels": 1024}
    composition = compose(encoder=encoder)
    assert composition.encoder.model_id == f"{weights.model_id}@8d@1024px"
    assert composition.model_ids()["dual_encoder"] == composition.encoder.model_id


def test_maps_of_pictures_of_different_size_share_the_largest_grid(encoder: LmmEncoder) -> None:
    wide = np.ascontiguousarray(IMAGES[0].transpose(1, 0, 2))
    grids = [encoder.patch_maps([image], "a man").shape[1:] for image in (IMAGES[0], wide)]
    maps = encoder.patch_maps([IMAGES[0], wide], "a man")
    assert maps.shape == (2, *np.max(grids, axis=0))


def test_words_are_unknown_only_where_a_list_says_so(tmp_path: Path, encoder: LmmEncoder) -> None:
    assert encoder.unknown_words("a zorblax") == ()
    folder = save_qwen3_vl(tmp_path / "qwen")
    tiny_models.write_vocabulary(folder, ["a", "man"])
    listed = build_lmm_encoder(resolved(folder, "dual_encoder"), device="cpu")
    assert listed.unknown_words("a man, a zorblax") == ("zorblax",)

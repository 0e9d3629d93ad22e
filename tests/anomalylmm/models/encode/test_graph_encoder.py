"""The encoder that graphs run: it gives what the same weights give in torch."""

import numpy as np
import pytest

from anomalylmm.models.encode.graph_encoder import GraphEncoder
from anomalylmm.models.weights import resolve
from tests.adapters import build_dual_encoder

WEIGHTS = resolve("pocket/dual_encoder", "dual_encoder")
RNG = np.random.default_rng(3)
PICTURES = [RNG.integers(0, 255, (70 + 9 * n, 160, 3), dtype=np.uint8) for n in range(5)]
TEXTS = ["a man", "a woman in a red coat lying on the ground, a zorblax next to her", "falling " * 120, ""]


@pytest.fixture(scope="module")
def encoder() -> GraphEncoder:
    return GraphEncoder(WEIGHTS, batch_size=3)


def test_it_gives_what_torch_gives(encoder: GraphEncoder) -> None:
    other = build_dual_encoder(WEIGHTS, batch_size=3)
    assert (encoder.model_id, encoder.dimension) == (other.model_id, other.dimension)
    np.testing.assert_allclose(encoder.encode_images(PICTURES), other.encode_images(PICTURES), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), other.encode_texts(TEXTS), atol=1e-5)
    maps = [one.patch_maps(PICTURES, "a man falling") for one in (encoder, other)]
    np.testing.assert_allclose(*maps, atol=1e-4)
    assert [encoder.cut_off(text) for text in TEXTS] == [other.cut_off(text) for text in TEXTS]
    assert [encoder.unknown_words(text) for text in TEXTS] == [other.unknown_words(text) for text in TEXTS]
    assert encoder.cut_off(TEXTS[2])


def test_what_reads_pictures_is_loaded_with_the_first_picture() -> None:
    encoder = GraphEncoder(WEIGHTS, batch_size=3)
    assert list(encoder._graphs) == ["text"]
    encoder.encode_images(PICTURES[:1])
    assert list(encoder._graphs) == ["text", "image"]

"""What every ``ImageEncoder``, ``TextEncoder`` and ``PatchTextMapper`` promises."""

from typing import Any

import numpy as np

from anomalylmm.records import Image

TEXTS = ["a man in red is running", "a woman is falling down", "a man"]


def test_rows_of_images_have_unit_length(encoder: Any, pictures: list[Image]) -> None:
    rows = encoder.encode_images(pictures)
    assert rows.shape == (5, encoder.dimension)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_rows_of_texts_have_unit_length(encoder: Any) -> None:
    rows = encoder.encode_texts(TEXTS)
    assert rows.shape == (3, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_order_does_not_depend_on_batches(encoder: Any, pictures: list[Image]) -> None:
    singles = np.concatenate([encoder.encode_images([picture]) for picture in pictures])
    np.testing.assert_allclose(encoder.encode_images(pictures), singles, atol=1e-4)
    texts = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-4)


def test_nothing_gives_no_rows(encoder: Any) -> None:
    assert encoder.encode_images([]).shape == (0, encoder.dimension)
    assert encoder.encode_texts([]).shape == (0, encoder.dimension)


def test_a_very_long_text_is_cut_and_not_refused(encoder: Any) -> None:
    assert encoder.encode_texts(["a man is running " * 500]).shape == (1, encoder.dimension)


def test_patch_maps_lie_between_zero_and_one(encoder: Any, pictures: list[Image]) -> None:
    maps = encoder.patch_maps(pictures, "a man")
    assert maps.ndim == 3
    assert len(maps) == 5
    assert maps.min() == 0
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)


def test_taught_words_are_not_unknown(encoder: Any) -> None:
    assert encoder.unknown_words("a man") == ()

"""Cameras that see nothing."""

import numpy as np
import pytest

from anomalylmm.footage.sight import Sight
from anomalylmm.records import Image

RANDOM = np.random.default_rng(0)
STREET = RANDOM.integers(0, 255, (18, 32, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def film(image: Image, minutes: float, noise: float) -> list[str]:
    """Looks at one picture with a sensor's noise, every four seconds, in videos of two minutes."""
    sight = Sight()
    for number in range(round(minutes * 15)):
        seen = np.clip(image + RANDOM.normal(0, noise, image.shape), 0, 255) if noise else image
        sight.look(seen.astype(np.uint8), number % 30 * 4.0)
    return sight.complaints()


@pytest.mark.parametrize(("level", "word"), [(2, "black"), (253, "white"), (128, "one color")])
def test_a_picture_without_anything_in_it_is_told(level: int, word: str) -> None:
    (complaint,) = film(np.full((180, 320, 3), level, np.uint8), 4, 3)
    assert word in complaint
    assert "100%" in complaint


def test_an_overexposed_picture_is_told_although_a_corner_is_dark() -> None:
    image = np.full((180, 320, 3), 255, np.uint8)
    image[:40, :60] = 30
    assert "overexposed" in film(image, 4, 0)[0]


def test_a_frozen_picture_is_told_across_videos() -> None:
    (complaint,) = film(STREET, 12, 0)
    assert "does not change" in complaint
    assert "has frozen" in complaint


def test_a_still_scene_of_a_live_camera_is_fine() -> None:
    assert film(STREET, 12, 8) == []
    assert film(STREET, 4, 0) == []


def test_a_moment_of_darkness_is_fine() -> None:
    sight = Sight()
    for number in range(100):
        sight.look(np.zeros_like(STREET) if number < 30 else STREET, number / 3)
    assert sight.complaints() == []


def test_nothing_seen_is_nothing_to_complain_about() -> None:
    assert Sight().complaints() == []

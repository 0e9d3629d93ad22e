"""Detector tiles: what the later ones are made of."""

from random import Random
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.rendered.tiles import MIXES, SIZE_PX, Mix, mix_of, render_tile

NO_BODIES = cast("Any", None)


@pytest.mark.parametrize("seed", range(8))
def test_a_blank_tile_shows_nobody(seed: int) -> None:
    picture, persons = render_tile(NO_BODIES, "train", Random(seed), None, Mix(blank_share=1.0))
    assert persons == []
    assert picture.shape == (SIZE_PX, SIZE_PX, 3)
    assert picture.dtype == np.uint8
    assert picture.std(axis=1).max() < 30


def test_some_blank_tiles_are_quite_black() -> None:
    tiles = [render_tile(NO_BODIES, "train", Random(seed), None, Mix(blank_share=1.0))[0] for seed in range(20)]
    assert any(not tile.any() for tile in tiles)


def test_only_training_tiles_change_with_their_number() -> None:
    assert mix_of("train", 4499) == mix_of("val", 9999) == mix_of("test", 0) == Mix()
    assert mix_of("train", 4500) == MIXES[4500]
    assert mix_of("train", 8299) == MIXES[6300]
    assert mix_of("train", 9999) == MIXES[8300]

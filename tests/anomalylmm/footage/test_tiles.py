"""Small persons are found in tiles, and each person once."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.footage.tiles import TiledDetector, cut_tiles, smallest_person
from anomalylmm.records import Detections, Image

BACKGROUND = 100


class ContrastDetector:
    """Finds bright areas, each as one box, that take up at least a share of the picture's width."""

    model_id = "contrast@1"

    def __init__(self, min_share: float) -> None:
        self.min_share = min_share
        self.batches = list[int]()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Each gray level is one person."""
        self.batches.append(len(images))
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Detections:
        boxes, scores = [], []
        for level in sorted(set(np.unique(image[..., 0]).tolist()) - {BACKGROUND}):
            rows, columns = np.nonzero(image[..., 0] == level)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            if max(box[2] - box[0], box[3] - box[1]) >= self.min_share * image.shape[1]:
                boxes.append(box)
                scores.append(level / 255)
        return Detections(boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.array(scores, np.float32))


def draw(*boxes: tuple[int, int, int, int]) -> Image:
    image = np.full((540, 960, 3), BACKGROUND, np.uint8)
    for number, (left, top, right, bottom) in enumerate(boxes):
        image[top:bottom, left:right] = 150 + number
    return image


def search(image: Image, tiles: int, min_share: float) -> list[list[float]]:
    (found,) = TiledDetector(ContrastDetector(min_share), tiles).detect([image])
    return sorted(found.boxes_xyxy_px.tolist())


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 8))
def test_tiles_of_one_size_cover_the_frame(height: int, width: int, number: int) -> None:
    tiles = cut_tiles(height, width, number)
    assert len(tiles) == number**2
    assert len({(tile.right - tile.left, tile.bottom - tile.top) for tile in tiles}) == 1
    for low, high, side in (("left", "right", width), ("top", "bottom", height)):
        spans = sorted({(getattr(tile, low), getattr(tile, high)) for tile in tiles})
        assert spans[0][0] == 0
        assert spans[-1][1] == side
        assert all(after <= before for (_, before), (after, _) in pairwise(spans))


def test_a_person_too_small_for_the_whole_frame_is_found_in_a_tile() -> None:
    small = (700, 300, 720, 340)
    assert search(draw(small), 1, 0.06) == []
    assert search(draw(small), 2, 0.06) == [list(small)]


def test_a_person_where_tiles_overlap_is_found_once() -> None:
    assert search(draw((470, 200, 490, 260)), 2, 0.06) == [[470, 200, 490, 260]]
    assert search(draw((470, 250, 490, 290)), 2, 0.06) == [[470, 250, 490, 290]]


def test_a_person_larger_than_a_tile_is_found_whole_and_once() -> None:
    assert search(draw((100, 40, 400, 520)), 3, 0.06) == [[100, 40, 400, 520]]


def test_a_person_whom_one_tile_cuts_and_its_neighbor_shows_whole_is_found_whole() -> None:
    assert search(draw((420, 200, 520, 260)), 2, 0.08) == [[420, 200, 520, 260]]


def test_a_person_whom_every_tile_cuts_is_found_in_part_rather_than_not_at_all() -> None:
    boxes = search(draw((440, 200, 440 + 150, 230)), 2, 0.17)
    assert len(boxes) == 1
    left, top, right, bottom = boxes[0]
    assert (top, bottom) == (200, 230)
    assert 440 <= left < right <= 590


def test_two_neighbors_are_two_persons() -> None:
    assert len(search(draw((600, 100, 630, 180), (632, 100, 662, 180)), 2, 0.06)) == 2


def test_scores_fall_and_batches_are_no_larger_than_the_frames() -> None:
    detector = ContrastDetector(0.03)
    found = TiledDetector(detector, 3).detect([draw((10, 10, 50, 90), (500, 300, 560, 400)), draw()])
    assert [len(item) for item in found] == [2, 0]
    assert (np.diff(found[0].scores) <= 0).all()
    assert detector.batches == [2] * 10


@pytest.mark.parametrize(("tiles", "height"), [(1, 277), (2, 154), (3, 107)])
def test_the_smallest_person_of_a_4k_frame_shrinks_with_the_tiles(tiles: int, height: int) -> None:
    assert smallest_person(3840, 416, tiles) == height

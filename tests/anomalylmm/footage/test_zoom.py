"""The part of a frame that the detector looks at."""

import numpy as np
import pytest

from anomalylmm.footage.tiles import Tile
from anomalylmm.footage.zoom import Zoom, cuts_somebody
from anomalylmm.records import Box, Detections

SHAPE = (400, 800, 3)
WHOLE = Tile(left=0, top=0, right=800, bottom=400)
FAR_AWAY: Box = (0.7, 0.7, 0.75, 0.85)


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    return Detections(boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.ones(len(boxes), np.float32))


def started() -> Zoom:
    zoom = Zoom()
    assert zoom.choose(SHAPE, FAR_AWAY, 0.0) == WHOLE
    return zoom


def test_a_part_has_the_frame_s_proportions_and_holds_what_moves() -> None:
    part = started().choose(SHAPE, FAR_AWAY, 0.3)
    assert (part.right - part.left, part.bottom - part.top) == (400, 200)
    assert part.left < 0.7 * 800 < 0.75 * 800 < part.right
    assert part.top < 0.7 * 400 < 0.85 * 400 < part.bottom == 400  # the frame's edge


def test_the_whole_frame_is_seen_every_two_seconds_and_where_it_is_not_known_what_moves() -> None:
    zoom = started()
    parts = [zoom.choose(SHAPE, FAR_AWAY, number / 3) for number in range(1, 13)]
    assert [number for number, part in enumerate(parts, start=1) if part == WHOLE] == [6, 12]
    assert zoom.choose(SHAPE, None, 4.2) == WHOLE


def test_who_was_seen_a_moment_ago_stays_in_sight() -> None:
    zoom = started()
    zoom.remember(found((80, 200, 120, 300)), SHAPE, 0.0)
    assert zoom.choose(SHAPE, FAR_AWAY, 0.3) == WHOLE
    near = zoom.choose(SHAPE, (0.4, 0.5, 0.45, 0.6), 0.6)
    assert near.left <= 80
    assert near.right - near.left == 500
    assert zoom.choose(SHAPE, None, 4.2) == WHOLE
    assert zoom.choose(SHAPE, FAR_AWAY, 4.5).left > 120


def test_a_clock_that_starts_again_begins_with_a_whole_frame() -> None:
    zoom = started()
    zoom.choose(SHAPE, FAR_AWAY, 100.0)
    assert zoom.choose(SHAPE, FAR_AWAY, 1.0) == WHOLE


@pytest.mark.parametrize(
    ("box", "cut"), [((0, 50, 40, 90), True), ((360, 50, 399, 90), False), ((50, 50, 90, 90), False)]
)
def test_a_person_who_reaches_out_of_the_part_is_noticed(box: tuple[float, ...], *, cut: bool) -> None:
    part = Tile(left=400, top=100, right=800, bottom=300)
    assert cuts_somebody(found(box), part, SHAPE) == cut  # type: ignore[arg-type] - a box has four numbers

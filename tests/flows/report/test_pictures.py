"""The pictures of a result: box and skeleton where they are in the frame, and no skeleton without joints."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from anomalylmm.posture.skeleton import LEFT_COLOR, RIGHT_COLOR
from anomalylmm.records import CropRow
from flows.index.units.cropping import read_jpeg
from flows.report.pictures import SIDE_PX, draw_pair, draw_results
from tests.anomalylmm.posture.bodies import standing
from tests.fakes import ColorEncoder
from tests.flows.report.crop_rows import row_of
from tests.storage.examples import make_query

FLAT = np.zeros((4, 4), np.float32)
LEFT_ELBOW, RIGHT_ELBOW = 7, 8


def differing(row: CropRow) -> np.ndarray:
    """Where the skeleton changes the pair of pictures; (SIDE, 2 * SIDE)."""
    return np.asarray((draw_pair(row, FLAT) != draw_pair(replace(row, body=None), FLAT)).any(axis=2))


@pytest.mark.parametrize("size", [(160, 160), (320, 320), (40, 40), (512, 512)])
def test_joints_of_the_frame_are_drawn_where_the_crop_shows_them(size: tuple[int, int]) -> None:
    joints = standing(180.0, 200.0)
    pair = draw_pair(row_of(*size, joints), FLAT)
    for joint, color in ((LEFT_ELBOW, LEFT_COLOR), (RIGHT_ELBOW, RIGHT_COLOR)):
        x, y = np.rint((joints[joint, :2] - (100, 120)) * SIDE_PX / 160).astype(int)
        assert tuple(pair[y, x]) == color


def test_a_narrow_crop_has_its_skeleton_in_the_middle_of_the_square() -> None:
    row = replace(row_of(40, 80, standing(180.0, 200.0)), context_xyxy_px=(140.0, 120.0, 220.0, 280.0))
    columns = np.flatnonzero(differing(row).any(axis=0))
    assert columns.min() > SIDE_PX // 4
    assert columns.max() < SIDE_PX * 3 // 4
    assert abs((columns.min() + columns.max()) / 2 - SIDE_PX / 2) <= 2


def test_only_the_left_picture_has_the_skeleton() -> None:
    changed = differing(row_of(160, 160, standing(180.0, 200.0)))
    assert changed[:, :SIDE_PX].any()
    assert not changed[:, SIDE_PX:].any()


def test_joints_outside_the_crop_stay_out_of_its_margins() -> None:
    row = replace(row_of(40, 80, standing(180.0, 200.0, 3.0)), context_xyxy_px=(140.0, 120.0, 220.0, 280.0))
    changed = differing(row)
    assert changed.any()
    assert not changed[:, : SIDE_PX // 4].any()
    assert not changed[:, SIDE_PX * 3 // 4 :].any()


def test_without_joints_the_pair_is_the_boxed_crop_beside_the_map() -> None:
    row = row_of(320, 320)
    boxed = read_jpeg(row.jpeg).copy()
    cv2.rectangle(boxed, (80, 20), (240, 300), (255, 210, 0), 2)
    assert (draw_pair(row, FLAT)[:, :SIDE_PX] == boxed).all()


def test_results_with_and_without_joints_are_drawn_together() -> None:
    rows = [row_of(160, 160), row_of(160, 160, standing(180.0, 200.0))]
    plain, drawn = draw_results(ColorEncoder(), make_query(), rows, [None, None])
    assert plain != drawn
    assert read_jpeg(drawn).shape == (SIDE_PX, 2 * SIDE_PX, 3)


def test_the_joints_of_the_row_are_not_changed() -> None:
    joints = standing(180.0, 200.0)
    draw_pair(row_of(160, 160, joints), FLAT)
    assert (joints == standing(180.0, 200.0)).all()

"""The drawn skeleton shows both sides, leaves unsure joints out and never fails for a place."""

import numpy as np
import pytest

from anomalylmm.errors import ShapeError
from anomalylmm.posture.skeleton import LEFT_COLOR, RIGHT_COLOR, draw_skeleton
from anomalylmm.records import Image
from tests.anomalylmm.posture.bodies import standing

_LEFT_ELBOW, _RIGHT_ELBOW, _LEFT_KNEE = 7, 8, 13


def _ground(level: int = 128, height: int = 400, width: int = 400) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def test_each_side_has_its_color() -> None:
    joints = standing(size=2.0)
    drawn = draw_skeleton(_ground(), joints)
    for joint, color in ((_LEFT_ELBOW, LEFT_COLOR), (_RIGHT_ELBOW, RIGHT_COLOR)):
        x, y = np.rint(joints[joint, :2]).astype(int)
        assert tuple(drawn[y, x]) == color


def test_the_given_picture_is_not_changed() -> None:
    image = _ground()
    drawn = draw_skeleton(image, standing())
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_lines_differ_from_any_ground(level: int) -> None:
    drawn = draw_skeleton(_ground(level), standing(size=2.0)).astype(int)
    assert np.abs(drawn - level).max() > 100


def test_an_unsure_joint_is_left_out_with_its_bones() -> None:
    joints = standing(size=2.0)
    joints[_LEFT_KNEE, 2] = 0.05
    drawn = draw_skeleton(_ground(), joints)
    x, hip_y, ankle_y = round(joints[_LEFT_KNEE, 0]), 212, 278
    assert (drawn[hip_y:ankle_y, x - 3 : x + 4] == 128).all()


def test_unsure_joints_alone_draw_nothing() -> None:
    joints = standing()
    joints[:, 2] = 0.1
    assert (draw_skeleton(_ground(), joints) == 128).all()


@pytest.mark.parametrize("place", [-500.0, 1e5, 1e30, -np.inf, np.nan])
def test_a_joint_anywhere_is_no_error(place: float) -> None:
    joints = standing()
    joints[_LEFT_ELBOW, :2] = place
    assert draw_skeleton(_ground(), joints).shape == (400, 400, 3)


def test_a_bone_that_leaves_the_picture_is_drawn_to_its_border() -> None:
    joints = standing(x=395.0)
    drawn = draw_skeleton(_ground(), joints)
    assert (drawn[:, -1] != 128).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (30, 20)])
def test_small_pictures_are_no_error(size: tuple[int, int]) -> None:
    assert draw_skeleton(_ground(0, *size), standing(5.0, 10.0, 0.2)).shape == (*size, 3)


def test_larger_pictures_have_wider_lines() -> None:
    small, large = (draw_skeleton(_ground(0, size, size), standing(200.0, 200.0, 2.0)) for size in (400, 1600))
    assert (large > 0).any(axis=2).sum() > 1.5 * (small > 0).any(axis=2).sum()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="keypoints"):
        draw_skeleton(_ground(), np.zeros((16, 3), np.float32))

"""What the pose net learns from: joints turned back, and pictures cut around persons."""

import numpy as np
import pytest

from benchmarks.pocket.pose.teach import AROUND, SIDE_PX, cut_person
from benchmarks.pocket.pose.teacher import TURNS, turned_back


@pytest.mark.parametrize("turn", TURNS)
def test_joints_of_a_turned_picture_are_turned_back(turn: int) -> None:
    image = np.zeros((20, 20), np.uint8)
    image[3, 14] = 255  # row, column
    y, x = np.argwhere(np.rot90(image, turn))[0]
    joints = np.tile(np.array([(x + 0.5) / 20, (y + 0.5) / 20, 0.7], np.float32), (17, 1))
    before = turned_back(joints, turn)
    assert before.shape == (17, 3)
    np.testing.assert_allclose(before, np.tile([14.5 / 20, 3.5 / 20, 0.7], (17, 1)), atol=1e-6)


def test_a_joint_in_the_middle_of_the_box_is_in_the_middle_of_the_cut() -> None:
    box = np.array([40, 20, 80, 100], np.float32)
    joints = np.tile(np.array([60, 60, 0.4], np.float32), (17, 1))
    cut, placed, around = cut_person(np.zeros((120, 200, 3), np.uint8), box, joints)
    assert cut.shape == (SIDE_PX, SIDE_PX, 3)
    np.testing.assert_allclose(placed, np.tile([0.5, 0.5, 0.4], (17, 1)), atol=1e-6)
    np.testing.assert_allclose(around[3] - around[1], 1 / AROUND, atol=1e-6)
    np.testing.assert_allclose((around[:2] + around[2:]) / 2, [0.5, 0.5], atol=1e-6)
    assert joints[0, 0] == 60  # what was given stays as it is


def test_a_mark_is_where_its_joint_is_in_the_cut() -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    image[28:33, 48:53] = 255
    joints = np.tile(np.array([50.5, 30.5, 1.0], np.float32), (17, 1))
    cut, placed, _ = cut_person(image, np.array([40, 20, 80, 100], np.float32), joints)
    y, x = np.argwhere(cut[..., 0] > 127).mean(axis=0)
    np.testing.assert_allclose(placed[0, :2] * SIDE_PX, [x, y], atol=1.5)


def test_a_person_at_the_edge_is_cut_with_the_edge_repeated() -> None:
    image = np.full((60, 60, 3), 90, np.uint8)
    cut, _, _ = cut_person(image, np.array([0, 0, 20, 60], np.float32), np.zeros((17, 3), np.float32))
    assert (cut == 90).all()

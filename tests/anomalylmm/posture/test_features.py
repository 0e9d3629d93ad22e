import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.errors import ShapeError
from anomalylmm.posture.features import NUM_FEATURES, describe_bodies
from tests.anomalylmm.posture.bodies import lying, standing


def test_nobody_is_described_by_no_rows() -> None:
    assert describe_bodies(np.zeros((0, 17, 3), np.float32)).shape == (0, NUM_FEATURES)


def test_other_numbers_of_joints_are_refused() -> None:
    with pytest.raises(ShapeError, match="keypoints"):
        describe_bodies(np.zeros((1, 16, 3), np.float32))


@settings(max_examples=30)
@given(x=st.floats(-500, 500), y=st.floats(-500, 500), size=st.floats(0.3, 8))
def test_place_and_size_in_the_picture_do_not_matter(x: float, y: float, size: float) -> None:
    here, there = describe_bodies(standing()[None]), describe_bodies(standing(x, y, size)[None])
    np.testing.assert_allclose(here, there, atol=2e-3)


def test_scores_of_joints_do_not_matter() -> None:
    unsure = standing()
    unsure[:, 2] = 0.1
    np.testing.assert_array_equal(describe_bodies(unsure[None]), describe_bodies(standing()[None]))


def test_somebody_far_away_is_nobody_beside_one() -> None:
    alone = describe_bodies(standing()[None])[0]
    with_stranger = describe_bodies(np.stack([standing(), standing(x=600)]))[0]
    np.testing.assert_array_equal(alone, with_stranger)


def test_somebody_near_shows() -> None:
    alone = describe_bodies(standing()[None])[0]
    with_other = describe_bodies(np.stack([standing(), standing(x=240)]))[0]
    assert not np.allclose(alone, with_other)


def test_a_second_detection_of_the_same_person_is_nobody_else() -> None:
    alone = describe_bodies(standing()[None])[0]
    twice = describe_bodies(np.stack([standing(), standing(x=203, hips_y=202)]))[0]
    np.testing.assert_array_equal(alone, twice)


def test_lying_and_standing_differ() -> None:
    rows = describe_bodies(np.stack([standing(x=0), lying(x=2000)]))
    assert np.abs(rows[0] - rows[1]).max() > 0.5

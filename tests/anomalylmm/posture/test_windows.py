import numpy as np

from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.windows import REACH, STEP_SECONDS, WINDOW_FEATURES, describe_windows
from tests.anomalylmm.posture.bodies import lying, standing

PLACES = 2 * REACH + 1
STILL = np.full(len(STILLS), 1 / len(STILLS), np.float32)


def _describe(bodies, times=None):
    times = np.arange(len(bodies)) * STEP_SECONDS if times is None else np.array(times)
    rows = describe_windows(times, np.stack(bodies), np.tile(STILL, (len(bodies), 1)))
    return rows.reshape(len(bodies), PLACES, -1)


def test_each_moment_has_a_window_of_the_documented_width():
    assert _describe([standing()] * 4).reshape(4, -1).shape == (4, WINDOW_FEATURES)


def test_places_without_a_moment_are_zeros_and_the_others_say_that_they_are_there():
    (first, *_) = _describe([standing()] * 3)
    assert (first[:REACH] == 0).all()
    assert first[REACH : REACH + 3, -1].tolist() == [1, 1, 1]
    assert (first[REACH + 3 :] == 0).all()


def test_a_moment_stands_for_a_place_only_if_it_is_near_in_time():
    rows = _describe([standing()] * 2, times=[0.0, STEP_SECONDS + 0.25])
    assert rows[0, REACH + 1, -1] == 0


def test_where_in_the_picture_and_how_large_somebody_is_does_not_matter():
    moves = [standing(), standing(), lying()]
    near = [body * np.array([3, 3, 1], np.float32) + np.array([50, 20, 0], np.float32) for body in moves]
    np.testing.assert_allclose(_describe(moves), _describe(near), atol=1e-5)


def test_a_body_that_sinks_is_seen_to_sink():
    rows = _describe([standing()] * 2 + [lying()] * 2)
    nose_y = rows[1, REACH : REACH + 2, 1]
    assert nose_y[1] - nose_y[0] > 0.4

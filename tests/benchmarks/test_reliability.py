import pytest

from benchmarks.reliability import draw, expected_error, measure_bands, wilson
from tests.benchmarks.events import FALL, weighed

HITS = [weighed(10, 2.0, 0.97), weighed(300, 2.0, 0.97), weighed(10, 2.0, 1.0), weighed(300, 2.0, 0.3)]


def test_bands_say_how_many_hits_are_right():
    low, high = measure_bands([FALL], HITS)
    assert (low.low, low.hits, low.right) == (0.2, 1, 0.0)
    assert (high.high, high.hits, high.right) == (1.0, 3, pytest.approx(2 / 3))
    assert high.confidence == pytest.approx(0.98)


def test_the_error_is_the_mean_distance_of_confidence_and_share():
    assert expected_error(measure_bands([FALL], HITS)) == pytest.approx((0.3 + 3 * (0.98 - 2 / 3)) / 4)


def test_intervals_hold_the_share_and_shrink_with_more_hits():
    few, many = wilson(3, 4), wilson(300, 400)
    assert few[0] < many[0] < 0.75 < many[1] < few[1]
    assert wilson(4, 4)[1] == 1.0


def test_the_plot_is_a_picture(tmp_path):
    draw(measure_bands([FALL], HITS), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")

import math

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.footage.sampling import Sampler


def test_a_walking_decoder_gives_the_first_frame_at_or_after_each_sample_time():
    sampler = Sampler(2)
    assert [index for index in range(50) if sampler.wants(7.04 + index / 25)] == [0, 13, 25, 38]


def test_a_gap_gives_no_burst_and_a_step_back_gives_nothing():
    sampler = Sampler(1)
    wanted = [pts for pts in (0.0, 0.5, 60.0, 60.1, 60.2, 3.0, 3.5, math.nan, 61.0) if sampler.wants(pts)]
    assert wanted == [0.0, 60.0, 61.0]


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_that_means_nothing_is_refused(rate):
    with pytest.raises(ConfigurationError, match="sample_fps"):
        Sampler(rate)

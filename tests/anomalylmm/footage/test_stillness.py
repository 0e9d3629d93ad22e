"""Still scenes: what differs from the background, and packets of usual size."""

import numpy as np
import pytest

from anomalylmm.footage.stillness import Background, UsualSizes

STILL = np.full((54, 96, 3), 110, np.float32)


def with_person(level: float = 200) -> np.ndarray:
    picture = STILL.copy()
    picture[20:30, 40:44] = level
    return picture


def test_the_first_picture_and_another_size_are_all_new() -> None:
    background = Background()
    assert background.changed_share(STILL, 0.0) == 1.0
    assert background.changed_share(STILL, 1.0) == 0.0
    assert background.changed_share(STILL[:20], 2.0) == 1.0
    background.forget()
    assert background.changed_share(STILL[:20], 3.0) == 1.0


def test_a_person_is_the_share_of_the_pixels_that_differ() -> None:
    background = Background()
    background.changed_share(STILL, 0.0)
    assert background.changed_share(with_person(), 1.0) == pytest.approx(40 / (54 * 96))


def test_light_that_changes_everywhere_does_not_count() -> None:
    background = Background()
    background.changed_share(STILL, 0.0)
    assert background.changed_share(STILL + 60, 1.0) == 0.0


def test_what_stays_becomes_background() -> None:
    background = Background(follow_seconds=10)
    background.changed_share(STILL, 0.0)
    shares = [background.changed_share(with_person(), float(second)) for second in range(1, 60)]
    assert shares[0] > 0
    assert shares[-1] == 0


def test_sizes_are_usual_once_enough_are_known_and_none_stands_out() -> None:
    usual = UsualSizes(factor=1.5, least=4)
    noise = np.random.default_rng(1)
    quiet = [noise.integers(90, 110, 49).tolist() for _ in range(12)]
    assert [usual.is_usual(1000, sizes, 8) for sizes in quiet] == [False] * 4 + [True] * 8
    passing = [100] * 20 + [400] * 8 + [100] * 21
    assert not usual.is_usual(1000, passing, 8)
    assert usual.is_usual(1000, quiet[0], 8)
    assert usual.is_usual(1000, [], 8)


def test_a_busy_hour_is_no_measure_of_stillness() -> None:
    usual = UsualSizes(least=4, spans=64)
    for _ in range(8):
        usual.is_usual(1000, [100] * 49, 8)
    for _ in range(50):
        assert not usual.is_usual(1000, [900] * 49, 8)
    assert usual.is_usual(1000, [100] * 49, 8)


def test_packets_of_next_to_nothing_may_vary_by_a_share_of_the_key_frame() -> None:
    usual = UsualSizes(share_of_key=0.001, least=1)
    usual.is_usual(40_000, [20] * 49, 8)
    assert usual.is_usual(40_000, [60] * 49, 8)
    assert not usual.is_usual(40_000, [80] * 49, 8)

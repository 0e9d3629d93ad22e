import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError
from tests.adapters import build_gate


def street(noise=0, x=None, seed=0):
    rng = np.random.default_rng(seed)
    image = np.full((288, 384, 3), 110, dtype=np.int16)
    image += rng.integers(-noise, noise + 1, image.shape, dtype=np.int16)
    if x is not None:
        image[150:200, x : x + 20] = (200, 60, 60)
    return image.clip(0, 255).astype(np.uint8)


def opened(gate, images, step=0.5):
    return [gate.is_moving(image, index * step) for index, image in enumerate(images)]


def test_a_still_noisy_scene_closes_the_gate_but_is_looked_at_again():
    gate = build_gate(max_idle_seconds=10, linger_seconds=1)
    looks = opened(gate, [street(noise=12, seed=index) for index in range(60)])
    assert looks[0]
    assert not any(looks[4:20])
    assert sum(looks) < 15
    gaps = np.diff(np.flatnonzero(looks)) * 0.5
    assert gaps.max() <= 10


def test_glances_at_an_empty_scene_become_rarer_but_not_where_somebody_was_seen():
    def longest(someone):
        gate = build_gate(max_idle_seconds=4, max_empty_seconds=16, linger_seconds=1)
        looks = list[bool]()
        for index in range(400):
            looks.append(gate.is_moving(street(), index * 0.5))
            if someone and looks[-1]:
                gate.note_somebody(index * 0.5)
        gaps = np.diff(np.flatnonzero(looks)) * 0.5
        return gaps.max(), sum(looks), gaps[gaps > 1].min()

    assert longest(someone=True) == (4, pytest.approx(50, abs=5), 4)
    gap, number, shortest = longest(someone=False)
    assert (gap, shortest) == (16, 4)
    assert number < 25


def test_motion_brings_the_frequent_glances_back():
    gate = build_gate(max_idle_seconds=4, max_empty_seconds=16, linger_seconds=0)
    opened(gate, [street()] * 400)
    assert gate.is_moving(street(x=100), 200.0)
    looks = [second for second in range(201, 221) if gate.is_moving(street(), float(second))]
    assert np.diff(looks).max() <= 5


def test_a_small_person_opens_it_and_it_lingers():
    gate = build_gate(linger_seconds=2, max_idle_seconds=100)
    opened(gate, [street()] * 20)
    assert gate.is_moving(street(x=100), 10.0)
    assert gate.is_moving(street(), 12.0)


def test_someone_who_stays_is_still_seen_at_each_look():
    gate = build_gate(max_idle_seconds=5, background_seconds=5)
    looks = opened(gate, [street()] * 10 + [street(x=100)] * 200)
    assert all(any(looks[start : start + 14]) for start in range(10, 190))


def test_changing_light_is_no_motion():
    gate = build_gate(linger_seconds=0, max_idle_seconds=1000)
    looks = opened(gate, [np.clip(street().astype(int) + index, 0, 255).astype(np.uint8) for index in range(40)])
    assert sum(looks) == 1


def test_a_clock_that_steps_back_and_another_size_begin_anew():
    gate = build_gate(linger_seconds=0, max_idle_seconds=1000)
    opened(gate, [street()] * 5)
    assert gate.is_moving(street(), 0.0)
    assert gate.is_moving(street()[:100], 1.0)


def test_the_same_pictures_give_the_same_answers():
    images = [street(noise=15, x=index * 5, seed=index) for index in range(30)]
    assert opened(build_gate(), images) == opened(build_gate(), images)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ConfigurationError):
        build_gate(linger_seconds=-1)


def test_a_person_too_small_for_the_whole_picture_counts_in_its_tile():
    scene = np.full((288, 384, 3), 110, np.uint8)
    passing = scene.copy()
    passing[150:162, 100:106] = (200, 60, 60)
    for tiles, moves in ((1, False), (3, True)):
        gate = build_gate(linger_seconds=0, max_idle_seconds=1000, min_changed_share=0.002, parts=tiles)
        opened(gate, [scene] * 10)
        assert gate.is_moving(passing, 5.0) == moves

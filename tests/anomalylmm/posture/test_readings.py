import numpy as np
import pytest

from anomalylmm.posture.classes import CHANNELS, READINGS
from anomalylmm.posture.words import read_word
from anomalylmm.rerank.score import DEFAULT, join_experts


def _scores(**shown: float) -> np.ndarray:
    row = np.full(len(CHANNELS), 0.01, np.float32)
    for name, value in shown.items():
        row[CHANNELS.index(name)] = value
    return row


@pytest.mark.parametrize("word", sorted(READINGS))
def test_joints_are_undecided_where_the_table_says(word: str) -> None:
    reading = READINGS[word]
    row = np.zeros(len(CHANNELS), np.float32)
    row[CHANNELS.index(reading.channels[0])] = reading.even
    assert read_word(word, "action", row[None]) == pytest.approx(0.5, abs=1e-3)


def test_the_crop_that_shows_most_counts() -> None:
    rows = np.stack([_scores(), _scores(lying=0.9), _scores()])
    seen = read_word("lying", "action", rows)
    assert seen is not None
    assert seen > 0.9


def test_scores_of_one_crop_are_added_and_those_of_two_are_not() -> None:
    together = read_word("lying", "action", _scores(lying=0.3, falling=0.3)[None])
    apart = read_word("lying", "action", np.stack([_scores(lying=0.3), _scores(falling=0.3)]))
    assert together is not None
    assert apart is not None
    assert together > 0.7 > apart


def test_joints_do_not_speak_of_colors_phones_or_the_unknown() -> None:
    assert read_word("lying", "color", _scores(lying=0.9)[None]) is None
    assert read_word("phoning", "action", _scores()[None]) is None
    assert read_word("lying", "action", None) is None


def test_where_joints_are_unsure_not_even_a_sure_judge_makes_a_hit() -> None:
    seen = read_word("lying", "action", np.zeros((0, len(CHANNELS)), np.float32))
    assert seen is not None
    assert join_experts(0.99, seen, DEFAULT.posture_weight) < 0.6
    assert read_word("phoning", "action", np.zeros((0, len(CHANNELS)), np.float32)) is None

import numpy as np
import pytest

from anomalylmm.errors import ShapeError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.rerank.prompts import layout_answers
from anomalylmm.rerank.saliency import focus_box, overlay, slot_posteriors, slot_saliency, slot_weights

CLOZE = mask_query("a man in a red jacket falls", Lexicon.load())
LAYOUT = layout_answers(CLOZE)


def test_posteriors_are_distributions_over_each_slots_words():
    scores = np.random.default_rng(1).normal(-5, 2, (3, len(LAYOUT.answers)))
    color, action = slot_posteriors(scores, LAYOUT)
    assert color.shape == (3, 11)
    assert action.shape == (3, 9)
    np.testing.assert_allclose(action.sum(axis=1), 1)


def test_one_score_an_answer_is_needed():
    with pytest.raises(ShapeError):
        slot_posteriors(np.zeros((2, 3)), LAYOUT)


def test_saliency_is_what_the_picture_adds():
    uniform = np.full(8, 1 / 8)
    sure = np.array([0.93, *[0.01] * 7])
    assert slot_saliency(uniform, uniform) == 0
    assert slot_saliency(sure, sure) == pytest.approx(0)
    assert slot_saliency(sure, uniform) > 0.7
    assert slot_saliency(np.eye(8)[0], np.eye(8)[1]) <= 1


def test_actions_weigh_most_and_never_vanish():
    blind, seen = slot_weights(CLOZE.slots, [1.0, 0.0]), slot_weights(CLOZE.slots, [1.0, 1.0])
    assert blind[1] == pytest.approx(0.5 / (0.5 + 0.7))
    assert seen[1] == pytest.approx(1 / 1.7)
    assert slot_weights(CLOZE.slots, None).tolist() == [0.5, 0.5]


def test_the_focus_box_holds_the_peak():
    patch_map = np.zeros((8, 8), dtype=np.float32)
    patch_map[6, 1] = 1.0
    left, top, right, bottom = focus_box(patch_map, 160, 80, share=0.5)
    assert left <= 30 <= right
    assert top <= 65 <= bottom
    assert (right - left, bottom - top) == (80, 40)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_flat_or_odd_map_gives_the_whole_image(value):
    assert focus_box(np.full((4, 4), value, dtype=np.float32), 30, 20) == (0, 0, 30, 20)


def test_the_overlay_is_a_picture_of_the_same_size_warm_at_the_peak():
    image = np.full((40, 60, 3), 100, dtype=np.uint8)
    patch_map = np.zeros((4, 6), dtype=np.float32)
    patch_map[0, 0] = 1.0
    painted = overlay(image, patch_map)
    assert painted.shape == image.shape
    assert painted.dtype == np.uint8
    assert int(painted[8, 8, 0]) > int(painted[8, 8, 2])
    assert (image == 100).all()

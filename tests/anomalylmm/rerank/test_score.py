import math

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import UNKNOWN, SlotVerdict
from anomalylmm.rerank.score import (
    DEFAULT,
    PAPER,
    RerankSettings,
    agreement_logit,
    coarse_term,
    confidence,
    order_scored,
    product_score,
    put_in_places,
    score,
    write_reason,
)
from tests.anomalylmm.scripted import candidate_of

MEAN = RerankSettings(fusion="mean", match_weight=0.7, affirm_weight=0.3, rank_weight=0.05)


def slot(kind, match, word="falling", answer="falling"):
    return SlotVerdict(word=word, kind=kind, answer=answer, match=match, probability=match, prior=0.1, saliency=1.0)


def test_paper_second_overtakes_first_only_where_its_match_is_better_by_0_0395():
    threshold = 0.0375 / 0.95
    assert threshold == pytest.approx(0.0395, abs=5e-5)
    first = score(0.5, None, 0, PAPER)
    assert score(0.5 + 0.0394, None, 1, PAPER) < first
    assert score(0.5 + 0.0396, None, 1, PAPER) > first
    assert first == pytest.approx(0.95 * 0.5 + 0.075)


def test_a_missing_term_leaves_its_weight_to_the_other():
    assert score(None, 0.8, 0, MEAN) == pytest.approx(0.8 + 0.05)
    assert score(0.8, None, 0, MEAN) == pytest.approx(0.8 + 0.05)
    assert score(None, None, 1, MEAN) == pytest.approx(0.025)


def test_the_product_adds_logs_of_slots_and_sentence_to_the_coarse_z_score():
    expected = 0.3 * 2 * (0.6 * math.log(0.9) + 0.4 * math.log(0.2)) + 0.2 * math.log(0.7) + 3.1
    assert product_score([0.9, 0.2], [0.6, 0.4], 0.7, 3.1, DEFAULT) == pytest.approx(expected)
    assert product_score([], [], None, 3.1, DEFAULT) == pytest.approx(3.1)
    assert math.isfinite(product_score([0.0], [1.0], 0.0, float("nan"), DEFAULT))


def test_one_contradiction_outweighs_a_coarse_lead_in_the_product():
    right = product_score([0.9, 0.9], [0.5, 0.5], None, 3.0, DEFAULT)
    wrong = product_score([0.9, 0.01], [0.5, 0.5], None, 4.0, DEFAULT)
    assert right > wrong


def test_equal_scores_keep_the_coarse_order():
    assert order_scored([0.5, 0.5, 0.5]) == [0, 1, 2]


def test_a_candidate_without_score_keeps_its_place():
    assert put_in_places("abcd", order_scored([0.1, None, 0.9, 0.5])) == ("c", "b", "d", "a")


def test_confidence_is_capped_by_the_weakest_behavior():
    slots = [slot("action", 0.3), slot("color", 1.0)]
    assert confidence(slots, [0.1, 0.9], 1.0, DEFAULT) == pytest.approx(0.3)


def test_confidence_falls_with_a_wrong_color():
    right = confidence([slot("action", 0.95), slot("color", 0.95)], [0.67, 0.33], 0.9, DEFAULT)
    wrong = confidence([slot("action", 0.95), slot("color", 0.01)], [0.67, 0.33], 0.9, DEFAULT)
    assert right > 0.9
    assert wrong < 0.5


def test_confidence_without_slots_is_the_sentence():
    assert confidence([], [], 0.7, DEFAULT) == 0.7
    assert confidence([], [], None, DEFAULT) == 0.0


def test_the_reason_is_made_from_facts():
    slots = [slot("action", 0.83), slot("color", 0.95, "red", "red")]
    expected = "saw falling (0.83) and red (0.95); asked for falling, red; sentence as a whole 0.71"
    assert write_reason(slots, 0.71) == expected


def test_the_reason_says_whose_probability_it_is_where_something_else_was_seen():
    slots = [slot("action", 0.83), slot("color", 0.05, "red", "blue")]
    assert write_reason(slots, None) == "saw falling (0.83) and blue (red: 0.05); asked for falling, red"


def test_the_reason_names_what_could_not_be_told():
    reason = write_reason([slot("action", 0.0, answer=UNKNOWN)], None, ["0 of 1 blanks answered"])
    assert reason == "could not tell about falling; asked for falling; problem: 0 of 1 blanks answered"


def test_the_agreement_is_found_again_in_a_score():
    for rank in (0, 1, 7):
        candidate = candidate_of(rank, 1)
        again = agreement_logit(score(0.8, 0.8, rank, MEAN), candidate, MEAN)
        assert again == pytest.approx(math.log(0.8 / 0.2))
        told = product_score([0.8], [1.0], None, candidate.z_score, DEFAULT)
        assert agreement_logit(told, candidate, DEFAULT) == pytest.approx(0.3 * math.log(0.8))
        assert coarse_term(candidate, DEFAULT) == candidate.z_score
    assert math.isfinite(agreement_logit(score(1.0, 1.0, 0, MEAN), candidate_of(0, 1), MEAN))


@pytest.mark.parametrize(
    "values",
    [
        {"match_weight": -1},
        {"coarse_weight": -1},
        {"match_weight": 0, "affirm_weight": 0},
        {"posture_weight": 1.1},
        {"batch_size": 0},
        {"pair_window": -0.1},
        {"pair_margin": -1},
        {"pair_margin": float("nan")},
        {"gate_margin": -1},
        {"same_cosine": 1.1},
        {"budget_calls": -1},
        {"pair_top": 1},
        {"facets": True, "affirm_weight": 0},
    ],
)
def test_settings_that_mean_nothing_are_refused(values):
    with pytest.raises(ConfigurationError):
        RerankSettings(**values)

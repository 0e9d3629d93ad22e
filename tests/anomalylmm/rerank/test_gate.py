import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.rerank.gate import CoarseHint, choose_uncertain, find_leaders, plan_judging, weave
from anomalylmm.rerank.score import DEFAULT, RerankSettings
from tests.anomalylmm.scripted import candidate_of

Z_SCORES = st.lists(st.floats(-5, 9), max_size=12)


def test_only_who_could_be_first_is_chosen():
    assert choose_uncertain([8.0, 7.5, 5.0, 4.9], [()] * 4, 1.0) == [0, 1]


def test_the_best_is_always_chosen_for_a_hit_needs_a_verdict():
    assert choose_uncertain([8.0, 2.0], [()] * 2, 0.0) == [0]
    assert choose_uncertain([], [], 0.0) == []


def test_whom_one_wording_of_the_query_prefers_is_chosen():
    views = [(0.3, 0.30, 0.3), (0.2, 0.29, 0.2), (0.1, 0.31, 0.1)]
    assert choose_uncertain([8.0, 4.0, 3.0], views, 1.0) == [0, 2]


def test_views_that_not_all_have_are_not_counted():
    assert choose_uncertain([8.0, 4.0], [(), (0.9,)], 1.0) == [0]
    assert choose_uncertain([8.0, 4.0], [(0.5,), (0.2, 0.9)], 1.0) == [0]


@given(Z_SCORES)
def test_an_infinite_margin_chooses_all(z_scores):
    assert choose_uncertain(z_scores, [()] * len(z_scores), float("inf")) == list(range(len(z_scores)))


@given(Z_SCORES, st.floats(0, 5), st.floats(0, 5))
def test_a_wider_margin_chooses_no_fewer(z_scores, margin, more):
    z_scores = sorted(z_scores, reverse=True)
    none = [()] * len(z_scores)
    assert set(choose_uncertain(z_scores, none, margin)) <= set(choose_uncertain(z_scores, none, margin + more))


def test_near_identical_pictures_follow_the_first_of_them():
    one, near, other = (np.array(row, np.float32) for row in ([1, 0], [0.9999, 0.0141], [0, 1]))
    assert find_leaders([one, other, near, None, near], 0.99) == [0, 1, 0, 3, 0]
    assert find_leaders([one, one], 0.0) == [0, 1]
    assert find_leaders([None, None], 0.5) == [0, 1]
    assert find_leaders([], 0.5) == []


def test_a_plan_without_gate_and_sharing_chooses_all():
    plan = plan_judging([candidate_of(rank, rank) for rank in range(3)], {}, DEFAULT)
    assert (plan.chosen, plan.waiting, plan.leaders) == ((0, 1, 2), (), (0, 1, 2))


def test_a_plan_gates_first_and_shares_among_the_chosen():
    vector = np.array([1, 0], np.float32)
    hints = {f"t{rank}": CoarseHint(vector=vector) for rank in range(4)}
    settings = RerankSettings(gate=True, gate_margin=1.0, same_cosine=0.99)
    plan = plan_judging([candidate_of(rank, rank) for rank in range(4)], hints, settings)  # z-scores 3, 2, 1, 0
    assert (plan.chosen, plan.waiting, plan.leaders) == ((0, 1), (2, 3), (0,))
    assert plan.leader_of == {0: 0, 1: 0}


@pytest.mark.parametrize(
    ("judged", "waiting", "woven"),
    [
        ([0, 1, 5], [2, 3, 4], (0, 1, 2, 3, 4, 5)),  # nothing learned, nothing moved
        ([5, 0, 1], [2, 3, 4], (5, 0, 1, 2, 3, 4)),  # one from far below pushes nobody past the waiting
        ([1, 0], [2, 3], (1, 0, 2, 3)),
        ([4, 2], [0, 1, 3], (0, 1, 4, 2, 3)),
        ([], [0, 1], (0, 1)),
    ],
)
def test_the_waiting_keep_their_order_among_the_judged(judged, waiting, woven):
    assert weave(judged, waiting) == woven


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_weaving_loses_nobody_and_keeps_both_orders(order, waiting):
    judged = [item for item in order if item not in waiting]
    woven = weave(judged, sorted(waiting))
    assert sorted(woven) == list(range(8))
    assert [item for item in woven if item in waiting] == sorted(waiting)
    assert [item for item in woven if item not in waiting] == judged

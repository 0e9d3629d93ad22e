import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.rerank.pairs import PairReading, pivot_promote

LOGITS = st.one_of(st.none(), st.tuples(st.floats(-5, 5), st.floats(-5, 5)), st.just((float("nan"), 1.0)))


def promote(order, scores, compare, *, window=1.0, margin=0.5, top=10):
    return pivot_promote(order, scores, compare, window=window, margin=margin, top=top)


def by_strength(strength, seen=None):
    def compare(earlier, later):
        if seen is not None:
            seen.append((earlier, later))
        gap = strength[later] - strength[earlier]
        return PairReading(forward=gap, backward=gap)

    return compare


def test_a_strong_candidate_goes_up_past_all_that_it_beats():
    ranking, promotions = promote([0, 1, 2, 3], [0.9, 0.8, 0.7, 0.6], by_strength([2.0, 1.0, 1.0, 3.0]))
    assert ranking == [3, 0, 1, 2]
    assert [(item.item, item.before) for item in promotions] == [(3, 2), (3, 1), (3, 0)]


def test_nobody_promoted_costs_one_comparison_less_than_candidates():
    seen = []
    assert promote(range(10), [0.5] * 10, by_strength([1.0] * 10, seen))[0] == list(range(10))
    assert len(seen) == 9


@pytest.mark.parametrize(
    ("forward", "backward", "promoted"),
    [(2.0, 2.0, True), (9.0, -0.1, False), (-0.1, 9.0, False), (0.4, 0.4, False), (0.1, 1.0, True)],
)
def test_both_orders_must_agree_beyond_the_margin(forward, backward, promoted):
    reading = PairReading(forward=forward, backward=backward)
    ranking, _ = promote([0, 1], [0.5, 0.5], lambda *_: reading)
    assert (ranking == [1, 0]) is promoted


def test_who_is_not_close_is_not_compared():
    seen = []
    ranking, _ = promote([0, 1, 2], [0.9, 0.3, 0.25], by_strength([0.0, 0.0, 9.0], seen), window=0.1)
    assert (ranking, seen) == ([0, 2, 1], [(1, 2)])


def test_only_the_first_places_are_compared():
    seen = []
    ranking, _ = promote(range(6), [0.5] * 6, by_strength(range(6), seen), top=2)
    assert (ranking, seen) == ([1, 0, 2, 3, 4, 5], [(0, 1)])


def test_nothing_to_compare_is_no_trouble():
    assert promote([], [], by_strength([])) == ([], [])
    assert promote([4], [0.1], by_strength([])) == ([4], [])


@given(st.lists(st.floats(0, 1), max_size=8), st.lists(LOGITS, min_size=64, max_size=64), st.floats(0, 2))
def test_each_inversion_was_won_in_both_orders(scores, readings, margin):
    order = sorted(range(len(scores)), key=lambda item: -scores[item])
    won, seen = set(), []

    def compare(earlier, later):
        seen.append((earlier, later))
        pair = readings[earlier * 8 + later]
        if pair and min(pair) > 0 and sum(pair) / 2 > margin:
            won.add((earlier, later))
        return PairReading(forward=pair[0], backward=pair[1]) if pair else None

    ranking, promotions = promote(order, [scores[item] for item in order], compare, window=0.3, margin=margin)
    assert sorted(ranking) == sorted(order)
    place = {item: position for position, item in enumerate(ranking)}
    inverted = {(one, two) for index, one in enumerate(order) for two in order[index + 1 :] if place[two] < place[one]}
    assert inverted == won == {(item.before, item.item) for item in promotions}
    assert len(seen) == len(set(seen))

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.measure.calibration import ReviewedHit, calibrate, chance_of_at_most, keep, upper_bound

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHARES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.6, 1.0]))
HITS = st.lists(st.tuples(SHARES, st.booleans()), max_size=40)


def review(pairs, start=0):
    return [
        ReviewedHit(hit_id=f"h{number}", confidence=confidence, confirmed=confirmed, given_utc=NOON)
        for number, (confidence, confirmed) in enumerate(pairs, start)
    ]


def threshold(accept, pairs):
    return calibrate(accept, review(pairs)).threshold


@given(SHARES, HITS)
def test_a_threshold_lies_between_the_querys_own_and_half_of_the_way_to_certainty(accept, pairs):
    found = calibrate(accept, review(pairs))
    assert 0 <= accept <= found.threshold <= (1 + accept) / 2 <= 1
    assert 0 <= found.bound <= 1
    counted = sum(confidence >= accept for confidence, _ in pairs)
    assert found.num_confirmed + found.num_rejected == counted


@given(SHARES, HITS, SHARES)
def test_one_more_confirmed_hit_never_raises_it_and_one_more_rejected_hit_never_lowers_it(accept, pairs, confidence):
    before = threshold(accept, pairs)
    assert threshold(accept, [*pairs, (confidence, True)]) <= before
    assert threshold(accept, [*pairs, (confidence, False)]) >= before


@given(SHARES, HITS, st.randoms())
def test_the_order_and_repetitions_do_not_matter(accept, pairs, chance):
    hits = review(pairs)
    shuffled = [*hits, *hits]
    chance.shuffle(shuffled)
    assert calibrate(accept, shuffled) == calibrate(accept, hits)


@given(SHARES, st.lists(SHARES, max_size=3), st.lists(SHARES, max_size=10))
def test_three_rejected_hits_change_nothing(accept, rejected, confirmed):
    pairs = [*((value, False) for value in rejected), *((value, True) for value in confirmed)]
    assert threshold(accept, pairs) == accept


def test_without_feedback_the_querys_own_threshold_stays():
    found = calibrate(0.4, [])
    assert (found.threshold, found.num_confirmed, found.num_rejected, found.bound) == (0.4, 0, 0, 1.0)
    assert found.evidence == "0.40, the query's own: no hit was confirmed or rejected"


def test_a_weak_band_of_four_rejected_hits_is_dropped():
    # P(X <= 0) of 4 at one half is 1/16 < 0.1; the bound is 1 - 0.1 ** (1 / 4); the limit 0.5 + 0.25 * 4 / 9 = 0.611
    pairs = [(0.52, False), (0.55, False), (0.56, False), (0.58, False), (0.7, True), (0.8, True)]
    found = calibrate(0.5, review(pairs))
    assert found.threshold == pytest.approx(0.58)
    assert found.threshold > 0.58
    assert found.bound == pytest.approx(1 - 0.1**0.25)
    assert (found.num_confirmed, found.num_rejected) == (2, 4)
    assert found.evidence == (
        "raised from 0.50 to 0.580: of the 4 reviewed hits up to 0.580 none was confirmed, so with 90 % confidence at "
        "most 44% of such hits are right; in all 2 confirmed and 4 rejected"
    )


def test_a_confirmed_hit_among_the_weak_asks_for_more_rejected_ones():
    # P(X <= 1) at one half: of 6 it is 7/64 > 0.1, of 7 it is 8/128 < 0.1
    pairs = [(0.5, True), *((0.51 + 0.01 * number, False) for number in range(5))]
    assert threshold(0.5, pairs) == 0.5
    assert threshold(0.5, [*pairs, (0.58, False)]) == pytest.approx(0.58)


def test_few_rejected_hits_raise_it_a_little_and_many_not_over_half_of_the_way():
    assert threshold(0.5, [(0.9, False)] * 4) == pytest.approx(0.5 + 0.25 * 4 / 9)
    assert threshold(0.5, [(0.99, False)] * 5000) == pytest.approx(0.75, abs=1e-3)
    assert "4 rejected hits may raise it no further" in calibrate(0.5, review([(0.9, False)] * 4)).evidence
    assert threshold(1.0, [(1.0, False)] * 9) == 1.0


def test_equal_confidences_are_never_divided():
    pairs = [(0.55, False)] * 4 + [(0.55, True)] * 4
    assert threshold(0.5, pairs) == 0.5


def test_strong_hits_do_not_hide_a_weak_band():
    pairs = [(0.52, False)] * 8 + [(0.9, True)] * 500
    assert threshold(0.5, pairs) == pytest.approx(0.52)


def test_hits_below_the_querys_own_threshold_do_not_count():
    found = calibrate(0.5, review([(0.3, False)] * 20))
    assert (found.threshold, found.num_rejected) == (0.5, 0)


def test_of_several_words_on_one_hit_the_newest_counts():
    rejected = [
        ReviewedHit(hit_id=f"h{number}", confidence=0.55, confirmed=False, given_utc=NOON) for number in range(4)
    ]
    assert calibrate(0.5, rejected).threshold > 0.5
    later = ReviewedHit(hit_id="h0", confidence=0.55, confirmed=True, given_utc=NOON + timedelta(seconds=1))
    for order in ([later, *rejected], [*rejected, later]):
        found = calibrate(0.5, order)
        assert (found.threshold, found.num_confirmed, found.num_rejected) == (0.5, 1, 3)


def test_a_query_that_is_not_calibrated_says_so():
    assert keep(0.7).threshold == 0.7
    assert "calibrate = false" in keep(0.7).evidence


@pytest.mark.parametrize(
    ("right", "number", "bound"),  # R: binom.test(right, number, alternative = "less", conf.level = 0.9)
    [(0, 1, 0.9), (0, 4, 0.4376587), (1, 10, 0.3368477), (5, 10, 0.7327), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_the_bound_is_that_of_clopper_and_pearson(right, number, bound):
    assert upper_bound(right, number) == pytest.approx(bound, abs=1e-4)


def test_the_binomial_chance_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for number in (1, 7, 100, 4000):
        for right in {0, number // 3, number // 2, number}:
            for share in (0.01, 0.5, 0.93):
                expected = stats.binom.cdf(right, number, share)
                assert chance_of_at_most(right, number, share) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def play(share_right, seed, number=100):
    """Shows hits one after the other, calibrating after each tenth; gives the shares of right and wrong ones lost."""
    chance, level, shown, lost, seen = random.Random(seed), 0.5, [], [0, 0], [0, 0]
    for _ in range(number):
        confidence = 0.5 + chance.random() / 2
        is_right = chance.random() < share_right(confidence)
        seen[is_right] += 1
        lost[is_right] += confidence < level
        if confidence >= level:
            shown.append((confidence, is_right))
            level = threshold(0.5, shown) if len(shown) % 10 == 0 else level
    return lost, seen


@pytest.mark.parametrize(
    ("share_right", "most_right_lost", "least_wrong_dropped"),
    [(lambda _: 0.7, 0.03, 0.0), (lambda value: 0.05 if value < 0.65 else 0.9, 0.06, 0.5)],
    ids=["a good query", "a query with a weak band"],
)
def test_a_night_after_night_simulation_loses_little_and_drops_the_weak(
    share_right, most_right_lost, least_wrong_dropped
):
    games = [play(share_right, seed) for seed in range(60)]
    lost, seen = ([sum(game[part][kind] for game in games) for kind in (0, 1)] for part in (0, 1))
    assert lost[1] / seen[1] <= most_right_lost
    assert lost[0] / seen[0] >= least_wrong_dropped

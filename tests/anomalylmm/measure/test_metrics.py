"""The metrics equal a slow reference that is written apart, in plain Python."""

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.errors import ShapeError
from anomalylmm.measure.metrics import (
    average_precision,
    average_precisions,
    bootstrap_mean,
    measure,
    order_by_score,
    paired_difference,
    positive_ranks,
    recall_at,
    twin_confusion,
)


@st.composite
def scored_queries(draw):
    """Draws for some queries scores with many ties, and at least one positive each."""
    size = draw(st.integers(1, 25))
    one = st.tuples(
        st.lists(st.integers(-3, 3), min_size=size, max_size=size),
        st.sets(st.integers(0, size - 1), min_size=1, max_size=size),
    )
    return draw(st.lists(one, min_size=1, max_size=6))


def slow_order(scores):
    return sorted(range(len(scores)), key=lambda item: (-scores[item], item))


def slow_ap(order, positives, limit=None):
    """Walks down the list and averages the precision at every hit."""
    found, precisions = 0, []
    for place, item in enumerate(order[:limit], 1):
        if item in positives:
            found += 1
            precisions.append(found / place)
    reachable = len(positives) if limit is None else min(limit, len(positives))
    return sum(precisions) / reachable


def ranks_of(queries):
    return [positive_ranks(order_by_score(np.array(scores)), positives) for scores, positives in queries]


@settings(max_examples=150)
@given(scored_queries())
def test_recall_and_precision_equal_the_slow_reference(queries):
    got = measure(ranks_of(queries))
    orders = [(slow_order(scores), positives) for scores, positives in queries]
    for k, value in ((1, got.r1), (5, got.r5), (10, got.r10)):
        expected = statistics.mean(any(item in positives for item in order[:k]) for order, positives in orders)
        assert value == pytest.approx(expected)
    assert got.map == pytest.approx(statistics.mean(slow_ap(*pair) for pair in orders))
    assert got.map10 == pytest.approx(statistics.mean(slow_ap(*pair, 10) for pair in orders))
    assert got.num_queries == len(queries)


@settings(max_examples=100)
@given(st.integers(1, 40), st.integers(0, 39))
def test_with_one_positive_average_precision_is_one_over_the_rank(size, rank):
    rank = min(rank, size - 1)
    assert average_precision([rank]) == pytest.approx(1 / (rank + 1))
    assert average_precision([rank], limit=10) == pytest.approx(1 / (rank + 1) if rank < 10 else 0)


@settings(max_examples=100)
@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1))
def test_ranks_from_a_list_are_where_the_positives_stand(ranked, positives):
    assert positive_ranks(ranked, positives) == tuple(sorted(ranked.index(item) for item in positives))


def test_equal_scores_keep_the_order_of_the_items_and_nan_goes_last():
    assert order_by_score(np.array([1.0, 2.0, float("nan"), 2.0, 1.0])).tolist() == [1, 3, 0, 4, 2]


def test_positives_that_are_not_listed_count_as_never_found():
    ranks = positive_ranks([4, 2], {2, 7, 9, 4})
    assert ranks == (0, 1)
    assert average_precision(ranks, num_positives=4) == pytest.approx(0.5)
    assert measure([ranks, ()], num_positives=[4, 1]).map == pytest.approx(0.25)


def test_a_query_without_positives_an_item_listed_twice_and_no_query_are_refused():
    with pytest.raises(ShapeError, match="at least one positive"):
        average_precision([])
    with pytest.raises(ShapeError, match="each item once"):
        positive_ranks([1, 2, 1], {1})
    with pytest.raises(ShapeError, match="at least one query"):
        measure([])
    with pytest.raises(ShapeError, match=r"\(N,\)"):
        order_by_score(np.zeros((2, 2)))


def test_the_interval_is_seeded_holds_the_mean_and_narrows_with_more_queries():
    rng = np.random.default_rng(3)
    few, many = rng.random(40), rng.random(4000)
    assert bootstrap_mean(few) == bootstrap_mean(few)
    assert bootstrap_mean(few, seed=1) != bootstrap_mean(few, seed=2)
    wide, narrow = bootstrap_mean(few), bootstrap_mean(many)
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 4
    assert narrow.high - narrow.mean == pytest.approx(1.96 * many.std() / np.sqrt(4000), rel=0.15)


def test_the_paired_interval_is_narrower_than_that_of_each_and_sees_a_small_gain():
    rng = random.Random(0)
    before = np.array([float(rng.random() < 0.5) for _ in range(500)])
    after = before.copy()
    losses = np.flatnonzero(before == 0)[:15]
    after[losses] = 1.0
    gain = paired_difference(after, before)
    assert gain.mean == pytest.approx(15 / 500)
    assert gain.low > 0
    assert gain.high - gain.low < bootstrap_mean(after).high - bootstrap_mean(after).low
    assert paired_difference(before, before).low == 0
    with pytest.raises(ShapeError, match="after"):
        paired_difference(after[:3], before)


def test_recall_counts_any_positive_and_precision_counts_all():
    assert recall_at([(3, 9), (0,)], 4).tolist() == [1.0, 1.0]
    assert recall_at([(3, 9), (0,)], 3).tolist() == [0.0, 1.0]
    assert average_precisions([(0, 3), (1,)]).tolist() == [pytest.approx((1 + 2 / 4) / 2), pytest.approx(0.5)]


def test_twin_confusion_counts_only_errors_of_queries_that_have_a_twin():
    confusion = twin_confusion([0, 1, 5, 9], [{0}, {0}, {4}, {8}], [{1}, {1}, {3}, set()])
    assert (confusion.num_errors, confusion.num_twins) == (2, 1)
    assert confusion.share == 0.5
    assert twin_confusion([0], [{0}], [{1}]).share == 0.0

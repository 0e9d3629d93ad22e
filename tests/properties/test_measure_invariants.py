"""Figures of a benchmark and of a gallery, beside what one would count by hand."""

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.measure.metrics import bootstrap_mean, order_by_score, paired_difference, twin_confusion
from anomalylmm.query.coarse import background, z_scores

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20)
GROUPS = st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 4), min_size=1), st.sets(st.integers(5, 9))))


@given(st.lists(st.one_of(st.floats(-1, 1), st.just(float("nan")), st.just(float("-inf"))), max_size=20))
def test_an_order_by_score_is_that_of_a_stable_sort(scores: list[float]) -> None:
    slow = sorted(
        range(len(scores)), key=lambda item: (np.isnan(scores[item]), -np.nan_to_num(scores[item], neginf=-9))
    )
    assert order_by_score(np.array(scores)).tolist() == slow


@given(GROUPS, st.randoms(use_true_random=False))
def test_twins_are_counted_as_by_hand(rows: list[tuple[int, set[int], set[int]]], chance) -> None:
    first = [chance.choice([number, *positives, *twins]) for number, positives, twins in rows]
    positives, twins = [row[1] for row in rows], [row[2] for row in rows]
    found = twin_confusion(first, positives, twins)
    errors = [
        place in own_twins
        for place, own, own_twins in zip(first, positives, twins, strict=True)
        if own_twins and place not in own
    ]
    assert (found.num_errors, found.num_twins) == (len(errors), sum(errors))


@settings(max_examples=30)
@given(SCORES, st.integers(0, 9))
def test_an_interval_holds_means_of_draws_only(values: list[float], seed: int) -> None:
    interval = bootstrap_mean(np.array(values), resamples=200, seed=seed)
    assert interval.mean == pytest.approx(statistics.fmean(values))
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    draws = np.random.default_rng(seed).integers(0, len(values), (200, len(values)))
    slow = sorted(statistics.fmean(np.array(values)[draw]) for draw in draws)
    assert interval.low == pytest.approx(np.percentile(slow, 2.5), abs=1e-9)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_a_paired_difference_turns_its_sign_with_its_sides(pairs: list[tuple[float, float]]) -> None:
    after, before = np.array(pairs).T
    forward, backward = paired_difference(after, before, resamples=100), paired_difference(before, after, resamples=100)
    assert forward.mean == pytest.approx(-backward.mean)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))


@given(st.lists(SCORES.filter(lambda row: len(row) >= 2), min_size=1, max_size=4), st.floats(-1, 1, width=32))
def test_a_score_is_ordered_by_z_as_by_cosine(rows: list[list[float]], other: float) -> None:
    length = min(map(len, rows))
    scores = np.array([row[:length] for row in rows])
    mean, std = background(scores)
    assert mean.shape == std.shape == (len(rows),)
    z = z_scores(np.concatenate([scores, np.full((len(rows), 1), other)], axis=1), mean, std)
    for cosines, standing in zip(np.column_stack([scores, np.full(len(rows), other)]), z, strict=True):
        assert (np.diff(standing[np.argsort(cosines)]) >= -1e-9).all()

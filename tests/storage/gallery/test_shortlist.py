import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.gallery import shortlist
from storage.gallery.quantizing import Scale, coded_form
from storage.gallery.shortlist import Shortlist
from tests.storage.examples import unit_vectors


class Offered:
    """Rows whose scores are offered wrong, by no more than a slack."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores, self.num_asked = scores, 0

    def exact(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> np.ndarray:
        self.num_asked += len(rows)
        return self.scores[queries, rows]

    def find(self, k: int, slack: float, block: int = 50) -> tuple[np.ndarray, np.ndarray]:
        number = len(self.scores)
        found = Shortlist(number, k, self.exact)
        wrong = np.random.default_rng(0).uniform(-slack, slack, self.scores.shape).astype(np.float32)
        slacks, offsets = np.full(number, slack * 1.001 + 1e-6, np.float32), np.zeros(number, np.float32)
        for start in range(0, self.scores.shape[1], block):
            rows = np.arange(start, min(start + block, self.scores.shape[1]))
            found.add(0, (self.scores + wrong)[:, rows], offsets, slacks, rows)
        return found.best()

    def truth(self, k: int) -> np.ndarray:
        order = np.lexsort((np.broadcast_to(np.arange(self.scores.shape[1]), self.scores.shape), -self.scores), axis=1)
        return order[:, :k]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 30), st.sampled_from([0.0, 0.01, 0.5]), st.integers(1, 1000))
def test_wrong_scores_give_the_exact_best(number: int, k: int, slack: float, kinds: int) -> None:
    scores = np.random.default_rng([number, kinds]).integers(0, kinds, (3, number)).astype(np.float32) / kinds
    offered = Offered(scores)
    cosines, rows = offered.find(k, slack)
    wanted = offered.truth(k)
    assert np.array_equal(rows[:, : wanted.shape[1]], wanted)
    assert np.array_equal(cosines[:, : wanted.shape[1]], np.take_along_axis(scores, wanted, axis=1))
    assert (rows[:, wanted.shape[1] :] == -1).all()


def test_exact_scores_are_asked_for_few() -> None:
    scores = np.random.default_rng(0).standard_normal((4, 20_000)).astype(np.float32)
    offered = Offered(scores)
    offered.find(10, 0.01)
    assert offered.num_asked < 4 * 10 * 3


def test_memory_is_bounded_where_all_crops_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortlist, "MAX_WAITING", 500)
    monkeypatch.setattr(shortlist, "MIN_WAITING", 100)
    offered = Offered(np.full((2, 5_000), 0.25, np.float32))
    found = Shortlist(2, 5, offered.exact)
    for start in range(0, 5_000, 50):
        found.add(
            0,
            offered.scores[:, start : start + 50],
            np.zeros(2, np.float32),
            np.full(2, 0.1, np.float32),
            np.arange(start, start + 50),
        )
        assert found.num_waiting < 1_200
    assert found.best()[1].tolist() == [[0, 1, 2, 3, 4]] * 2


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 50), st.integers(1, 64), st.integers(0, 1000), st.floats(0.01, 100.0))
def test_no_score_of_codes_is_wrong_by_more_than_its_slack(number: int, dimension: int, seed: int, size: float) -> None:
    vectors = unit_vectors(number, seed, dimension) * np.float32(size)
    queries = unit_vectors(3, seed + 1, dimension)
    scale = Scale.between(vectors.min(axis=0), vectors.max(axis=0))
    codes, largest_error = scale.encode(vectors)
    form = coded_form(queries, scale, largest_error)
    scores = form.weights @ codes.T.astype(np.float32) + form.offsets[:, None]
    exact = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    assert (np.abs(scores - exact) <= form.slacks[:, None]).all()

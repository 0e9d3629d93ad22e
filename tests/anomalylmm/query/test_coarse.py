import numpy as np
import pytest

from anomalylmm.errors import ShapeError
from anomalylmm.query.coarse import background, best_tracklets, z_scores


def test_the_background_ignores_the_few_true_hits():
    rng = np.random.default_rng(1)
    scores = rng.normal(0.1, 0.02, (1, 2000))
    clean_mean, clean_std = background(scores)
    scores[0, :100] = 0.5
    mean, std = background(scores)
    assert mean[0] == pytest.approx(clean_mean[0], abs=0.003)
    assert std[0] == pytest.approx(clean_std[0], rel=0.15)


def test_equal_or_no_crops_give_finite_z_scores():
    for scores in (np.full((2, 50), 0.3), np.zeros((2, 0)), np.full((2, 3), 0.3)):
        mean, std = background(scores)
        assert np.isfinite(z_scores(np.full((2, 1), 0.4), mean, std)).all()


def test_tracklets_score_as_their_best_crop():
    scores = np.array([0.2, 0.9, 0.5, 0.6, 0.1])
    ids = ["a", "a", "b", "b", "c"]
    best = best_tracklets(scores, ids, mean=0.0, std=0.1, floor_z=2.0, top_n=9)
    assert [(item.tracklet_id, item.rows, item.cosine) for item in best] == [("a", (1, 0), 0.9), ("b", (3, 2), 0.6)]
    assert best[0].z_score == pytest.approx(9.0)


def test_equal_scores_are_ordered_by_tracklet_id():
    best = best_tracklets(np.ones(4), ["d", "b", "a", "c"], mean=0, std=1, floor_z=0, top_n=3)
    assert [item.tracklet_id for item in best] == ["a", "b", "c"]


def test_nothing_gives_nothing():
    assert best_tracklets(np.zeros(0), [], mean=0, std=1, floor_z=0, top_n=3) == ()


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError):
        background(np.zeros(3))
    with pytest.raises(ShapeError):
        z_scores(np.zeros((2, 3)), np.zeros(3), np.ones(2))
    with pytest.raises(ShapeError):
        best_tracklets(np.zeros(3), ["a"], mean=0, std=1, floor_z=0, top_n=1)

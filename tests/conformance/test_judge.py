"""What every ``Judge`` promises."""

from typing import Any

import numpy as np
import pytest

from anomalylmm.records import Clip, Image
from anomalylmm.rerank.looks import thin

PROMPT = "does this show a man falling down"
ANSWERS = ["running", "falling down", "lying on the ground", "no"]


def test_scores_are_log_probabilities_of_each_answer(judge: Any, pictures: list[Image]) -> None:
    scores = judge.score_answers([[picture] for picture in pictures], PROMPT, ANSWERS)
    assert scores.shape == (5, 4)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert (scores < 0).all()


def test_a_batch_gives_what_each_candidate_alone_gives(judge: Any, pictures: list[Image]) -> None:
    views = [[pictures[0]], [pictures[1], pictures[2]], [pictures[3]], [pictures[4]]]
    together = judge.score_answers(views, PROMPT, ANSWERS)
    singles = np.concatenate([judge.score_answers([candidate], PROMPT, ANSWERS) for candidate in views])
    np.testing.assert_allclose(together, singles, atol=1e-3)
    margins = np.concatenate([judge.affirm([candidate], PROMPT) for candidate in views])
    np.testing.assert_allclose(judge.affirm(views, PROMPT), margins, atol=1e-3)


def test_an_answer_scores_the_same_beside_others(judge: Any, pictures: list[Image]) -> None:
    all_answers = judge.score_answers([[pictures[0]]], PROMPT, ANSWERS)[0]
    alone = [judge.score_answers([[pictures[0]]], PROMPT, [answer])[0, 0] for answer in ANSWERS]
    np.testing.assert_allclose(all_answers, alone, atol=1e-3)


def test_the_margin_of_yes_over_no_is_finite(judge: Any, pictures: list[Image]) -> None:
    margins = judge.affirm([[picture] for picture in pictures], PROMPT)
    assert margins.shape == (5,)
    assert np.isfinite(margins).all()


def test_the_blind_scores_need_no_image(judge: Any) -> None:
    scores = judge.score_answers_blind(PROMPT, ANSWERS)
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()


def test_each_candidate_gets_one_answer(judge: Any, pictures: list[Image]) -> None:
    answers = judge.complete([[pictures[0]], [pictures[1]]], PROMPT)
    assert len(answers) == 2
    assert all(answer == answer.strip() for answer in answers)


def test_more_views_than_allowed_are_left_out(judge: Any, pictures: list[Image]) -> None:
    many = judge.score_answers([pictures], PROMPT, ANSWERS)
    few = judge.score_answers([pictures[: judge.max_views]], PROMPT, ANSWERS)
    np.testing.assert_allclose(many, few, atol=1e-3)


@pytest.fixture
def moment() -> Clip:
    rng = np.random.default_rng(1)
    return Clip([rng.integers(0, 255, (60, 48, 3), dtype=np.uint8) for _ in range(4)], (10.0, 10.5, 11.0, 11.5))


def as_taken(judge: Any, clip: Clip) -> Clip:
    return clip if judge.moment_way == "video" else thin(clip, judge.max_views)


def test_a_judge_says_how_it_takes_the_pictures_of_a_moment(judge: Any) -> None:
    assert judge.moment_way in ("video", "pictures", "single")
    assert judge.moment_way != "pictures" or judge.max_views > 1


def test_a_moment_is_scored_in_a_batch_as_alone(judge: Any, moment: Clip, pictures: list[Image]) -> None:
    later = Clip([255 - image for image in moment], moment.pts_seconds)
    views = [as_taken(judge, moment), [pictures[0]], as_taken(judge, later)]
    together = judge.score_answers(views, PROMPT, ANSWERS)
    singles = np.concatenate([judge.score_answers([candidate], PROMPT, ANSWERS) for candidate in views])
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, singles, atol=1e-3)
    assert np.isfinite(judge.affirm(views, PROMPT)).all()
    assert len(judge.complete(views, PROMPT)) == len(views)


def test_the_pictures_of_a_moment_count_in_their_order(judge: Any, moment: Clip) -> None:
    if judge.moment_way == "single":
        pytest.skip("it sees one picture at a time")
    backward = Clip(list(moment)[::-1], moment.pts_seconds)
    scores = judge.score_answers([as_taken(judge, moment), as_taken(judge, backward)], PROMPT, ANSWERS)
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


def test_no_candidates_give_no_scores(judge: Any) -> None:
    assert judge.complete([], PROMPT) == []
    assert judge.affirm([], PROMPT).shape == (0,)
    assert judge.score_answers([], PROMPT, ANSWERS).shape == (0, 4)

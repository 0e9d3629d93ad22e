"""The judge that graphs run: it says what the same weights say in torch."""

from typing import Any

import numpy as np
import pytest

from anomalylmm.errors import JudgeError
from anomalylmm.models.judge.graph_judge import GraphJudge
from anomalylmm.models.weights import resolve
from anomalylmm.rerank.prompts import write_affirm_prompt
from tests.adapters import build_judge

RNG = np.random.default_rng(2)
PICTURES = [RNG.integers(0, 255, (70 + 9 * n, 60 + 40 * n, 3), dtype=np.uint8) for n in range(5)]
PROMPT = "Fill each blank with one word, or UNKNOWN.\na [MASK] in a [MASK] jacket [MASK]"
ANSWERS = ["man, red, falling", "man, red, riding a bicycle", "man, blue", "woman", "man, red, riding"]
WEIGHTS = resolve("pocket/judge", "judge")
OPTIONS = {"batch_size": 3, "max_views": 2, "max_new_tokens": 6}


@pytest.fixture(scope="module")
def torch_judge() -> Any:
    return build_judge(WEIGHTS, **OPTIONS)


@pytest.fixture
def judge() -> GraphJudge:
    return GraphJudge(WEIGHTS, **OPTIONS)


def test_its_answers_are_kept_under_the_same_id(judge: GraphJudge, torch_judge: Any) -> None:
    assert judge.judge_id == torch_judge.judge_id
    other = {**OPTIONS, "max_new_tokens": 48}
    assert GraphJudge(WEIGHTS, **other).judge_id == build_judge(WEIGHTS, **other).judge_id == WEIGHTS.model_id


def test_it_says_what_torch_says(judge: GraphJudge, torch_judge: Any) -> None:
    views = [PICTURES[:1], PICTURES[1:3], PICTURES[3:4], PICTURES[2:], PICTURES[:1]]
    for ask in ("score_answers", "score_answers_blind", "affirm", "complete"):
        given = {
            "score_answers": (views, PROMPT, ANSWERS),
            "score_answers_blind": (PROMPT, ANSWERS),
            "affirm": (views, write_affirm_prompt("a man falls")),
            "complete": (views, PROMPT),
        }[ask]
        own, others = getattr(judge, ask)(*given), getattr(torch_judge, ask)(*given)
        if ask == "complete":
            assert own == others
        else:
            np.testing.assert_allclose(own, others, atol=1e-4)
    assert judge.num_tokens == pytest.approx(torch_judge.num_tokens, rel=0.02)


def test_a_picture_is_read_once_for_all_questions(judge: GraphJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = judge._model._vision
    monkeypatch.setattr(judge._model, "_vision", lambda pixels: seen.append(len(pixels)) or real(pixels=pixels))
    views = [[picture] for picture in PICTURES]
    first = judge.score_answers(views, PROMPT, ANSWERS)
    judge.affirm(views, write_affirm_prompt("a man falls"))
    again = judge.score_answers([[picture.copy()] for picture in PICTURES], PROMPT, ANSWERS)
    assert sum(seen) == len(PICTURES)
    judge.forget_pictures()
    judge.score_answers(views[:1], PROMPT, ANSWERS)
    assert sum(seen) == len(PICTURES) + 1
    np.testing.assert_array_equal(first, again)


def test_words_that_look_like_a_picture_are_refused(judge: GraphJudge) -> None:
    with pytest.raises(JudgeError, match="no place for 1 pictures"):
        judge.score_answers([PICTURES[:1]], "a <image> man", ["man"])

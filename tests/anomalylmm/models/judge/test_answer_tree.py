"""The layout of several answers behind one question."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.models.judge.answer_tree import HIDDEN, AnswerTree

TOKEN = st.integers(0, 5)
ANSWERS = st.lists(st.lists(TOKEN, min_size=1, max_size=4), min_size=1, max_size=6)


def test_shared_beginnings_are_read_once_and_last_tokens_never() -> None:
    tree = AnswerTree.of([7, 8], [[1, 2, 3], [1, 2, 4], [1, 5], [6]])
    assert tree.tokens == (7, 8, 1, 2)
    assert tree.depths.tolist() == [0, 1, 2, 3]
    assert tree.asked.tolist() == [1, 2, 3]
    assert tree.steps == (((0, 1), (1, 2), (2, 3)), ((0, 1), (1, 2), (2, 4)), ((0, 1), (1, 5)), ((0, 6),))


@given(st.lists(TOKEN, min_size=1, max_size=4), ANSWERS)
def test_each_answer_sees_the_question_and_its_own_beginning_in_order(
    question: list[int], answers: list[list[int]]
) -> None:
    tree = AnswerTree.of(question, answers)
    for answer, steps in zip(answers, tree.steps, strict=True):
        assert [token for _, token in steps] == answer
        for end, (place, _) in enumerate(steps):
            seen = np.flatnonzero(tree.sees[tree.asked[place]])
            assert [tree.tokens[number] for number in seen] == [*question, *answer[:end]]
            assert tree.depths[seen].tolist() == list(range(len(seen)))


def test_what_was_read_before_is_seen_by_all() -> None:
    mask = AnswerTree.of([7], [[1, 2], [3, 4]]).mask(2)
    assert (mask == HIDDEN).tolist() == [
        [False, False, False, True, True],
        [False, False, False, False, True],
        [False, False, False, True, False],
    ]


def test_logarithms_are_summed_along_each_answer() -> None:
    logs = np.arange(2 * 2 * 3, dtype=np.float32).reshape(2, 2, 3)
    tree = AnswerTree.of([7], [[1, 2], [0]])
    assert tree.sum_logs(logs).tolist() == [[1 + 5, 0], [7 + 11, 6]]

import numpy as np
import pytest

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import cloze_from_spans, mask_query
from anomalylmm.records import UNKNOWN, Slot
from anomalylmm.rerank.prompts import check_scores, layout_answers, parse_cloze, write_affirm_prompt, write_cloze_prompt

LEXICON = Lexicon.load()


def test_the_prompts_are_the_contract_with_the_trained_judge():
    cloze = mask_query("a man in a red jacket falls down", LEXICON)
    assert write_cloze_prompt(cloze) == ("Fill each blank with one word, or UNKNOWN.\na man in a [MASK] jacket [MASK]")
    assert write_affirm_prompt("a man {falls}\n down. ") == (
        "Does this picture show: a man {falls} down? Answer yes or no."
    )


def test_answers_vary_one_slot_at_a_time():
    layout = layout_answers(mask_query("a man in a red jacket falls", LEXICON))
    assert layout.answers[0] == "red"
    assert layout.answers[layout.groups[1][0]] == "red, falling"
    assert [len(group) for group in layout.groups] == [11, 9]
    for slot, (group, words) in enumerate(zip(layout.groups, layout.words, strict=True)):
        for position, word in zip(group, words, strict=True):
            assert layout.answers[position] == ", ".join([*["red", "falling"][:slot], word])


def test_a_slot_without_contrasts_is_compared_with_unknown():
    cloze = cloze_from_spans("a man juggles", [Slot(start=6, stop=13, word="juggling", kind="action")], LEXICON)
    assert layout_answers(cloze).answers == ("juggling", UNKNOWN)


@pytest.mark.parametrize(
    ("answer", "words", "num_problems"),
    [
        ("red, falling", ("red", "falling"), 0),
        ("Red; Falling down.", ("red", "falling down"), 0),
        ("1. red\n2. UNKNOWN", ("red", UNKNOWN), 0),
        ("[red, falling]", ("red", "falling"), 0),
        ("red", ("red", UNKNOWN), 1),
        ("", (UNKNOWN, UNKNOWN), 1),
        ("red, falling, blue, blue", ("red", "falling"), 1),
        ("<b>red</b>, falling", (UNKNOWN, "falling"), 1),
        ("красный, падает", (UNKNOWN, UNKNOWN), 2),
        ("the man in the picture is red, falling", (UNKNOWN, "falling"), 1),
        ("x" * 10_000, (UNKNOWN, UNKNOWN), 3),
    ],
)
def test_answers_are_read_strictly(answer, words, num_problems):
    parsed = parse_cloze(answer, 2)
    assert parsed.words == words
    assert len(parsed.problems) == num_problems


def test_numbers_of_a_judge_are_checked():
    assert check_scores(np.zeros((2, 3)), (2, 3)) == ""
    assert "(2, 3)" in check_scores(np.zeros((3, 2)), (2, 3))
    assert "NaN" in check_scores(np.array([np.nan]), (1,))


@pytest.mark.parametrize("numbers", [[[1.0, 2.0], [3.0]], np.array([["yes", "no"]]), None, [None, 1.0]])
def test_what_is_no_table_of_numbers_is_said(numbers):
    assert check_scores(numbers, (2, 2)).startswith("gave n")

"""Negated words: found with their phrase, not asked for, and left out of what the encoder hears."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from anomalylmm.protocols import Views
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import Mask, leave_out_negated, mask_query, mask_words, parse_masks
from anomalylmm.query.negation import find_absent, find_negated
from anomalylmm.records import Cloze, Query, SlotKind
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from flows.sweep.query_file import default_query_file, read_queries
from tests.anomalylmm.scripted import ScriptedJudge, candidate_of

LEXICON = Lexicon.load()
KINDS = get_args(SlotKind)


def query_of(text: str, cloze: Cloze | None = None) -> Query:
    return Query(name="q", text=text, cloze=cloze or mask_query(text, LEXICON), version="v")


def marked(text: str) -> str:
    for start, stop in reversed(find_negated(text, LEXICON)):
        text = f"{text[:start]}[{text[start:stop]}]{text[stop:]}"
    return text


@pytest.mark.parametrize(
    "expected",
    [
        "a man [without a bag]",
        "a woman [not wearing red]",
        "[nobody is walking on the street]",
        "a person [no longer standing]",
        "a man riding a bicycle [without a helmet]",
        "a man [without a red hat] running away",
        "a man [without helmet] riding a bicycle",
        "a woman [who isn't wearing a red jacket] and runs",
        "a woman [who isn\u2019t wearing red]",
        "a man [with no bag or hat] falling",
        "[nobody helps the man] lying on the ground",
        "[no one is near the person] who is falling",
        "[not a man] but a woman running",
        "a man [lacking a helmet] cycling",
        "a person [unable to walk] lying on the ground",
        "a person stumbles [but does not fall]",
        "a man [not carrying a bag] climbs a fence",
        "people walking [instead of running]",
        "everybody [except the man in red]",
        "a person lying [without a bag] on the ground",
        "a man [without a hat] and a woman on a bike",
        "She carries [no bag]. She is on the phone.",
        "a person lying, [not moving]",
    ],
)
def test_a_negation_reaches_as_far_as_its_phrase(expected: str) -> None:
    assert marked(expected.replace("[", "").replace("]", "")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "not only running but falling",
        "a man lying at the no parking sign",
        "a person standing there doing nothing",
        "a man walking with a notebook",
        "a man says no",
        "a No. 7 shirt player running",
        "the man does not stop running",
    ],
)
def test_words_that_negate_nothing_seen_are_kept(text: str) -> None:
    assert find_negated(text, LEXICON) == ()


def test_no_shipped_query_is_negated() -> None:
    queries = read_queries(default_query_file(), LEXICON)
    assert [query for query in queries if leave_out_negated(query, LEXICON) is not query] == []


def test_negated_words_are_not_asked_for() -> None:
    cloze = mask_query("a man without a red hat running away", LEXICON)
    assert [(slot.word, cloze.text[slot.start : slot.stop]) for slot in cloze.slots] == [("running", "running away")]


def test_without_its_negation_a_query_keeps_its_slots_in_place() -> None:
    left = leave_out_negated(query_of("a man without a red hat falls off a bicycle"), LEXICON)
    assert left.text.split() == "a man falls off a bicycle".split()
    assert [left.text[slot.start : slot.stop] for slot in left.cloze.slots] == ["falls off a bicycle"]
    assert left.cloze.masked.split() == ["a", "man", "[MASK]"]


def test_of_nobody_a_person_is_left() -> None:
    assert leave_out_negated(query_of("Nobody is walking."), LEXICON).text == "a person"


def test_a_negated_word_that_the_user_masks_stays() -> None:
    text = "a woman not wearing red"
    query = query_of(text, mask_words(text, [Mask(word="red", kind="color")], LEXICON))
    assert leave_out_negated(query, LEXICON) is query


def test_a_negated_word_that_a_judge_names_is_not_masked() -> None:
    answer = '[{"word": "red", "kind": "color"}, {"word": "running", "kind": "action"}]'
    cloze = parse_masks(answer, "a man running, not wearing red", LEXICON).cloze
    assert ([slot.word for slot in cloze.slots], cloze.masked) == (["running"], "a man [MASK], not wearing red")


class HearingJudge(ScriptedJudge):
    """Keeps the prompts of its yes-or-no questions."""

    def __init__(self) -> None:
        super().__init__({1: ("running", 1.0)})
        self.prompts: list[str] = []

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        self.prompts.append(prompt)
        return super().affirm(views, prompt)


@pytest.mark.parametrize(("negation", "asked"), [(False, []), (True, ["a person with bag"])])
def test_the_judge_is_asked_about_the_bag_alone_if_the_settings_say_so(negation: bool, asked: list[str]) -> None:
    judge = HearingJudge()
    query = query_of("a man running without a bag")
    Adjudicator(judge, LEXICON, RerankSettings(negation=negation)).adjudicate(query, [candidate_of(0, 1)])
    assert judge.prompts == [
        "Does this picture show: a man running? Answer yes or no.",
        *(f"Does this picture show {facet}? Answer yes or no." for facet in asked),
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a man in red, not running, kicks a door", "a man in red, kicks a door"),
        ("Without a helmet, a man falls off a bicycle", "a man falls off a bicycle"),
        ("a man without a bag running", "a man running"),
    ],
)
def test_no_spaces_and_commas_are_left_over(text: str, left: str) -> None:
    query = leave_out_negated(query_of(text), LEXICON)
    assert query.text == left
    assert all(query.text[slot.start : slot.stop].strip() for slot in query.cloze.slots)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a man not wearing red or blue, falling", "a man, falling"),
        ("a man who is not running or carrying a bag", "a man"),
        ("a man not running or walking but crawling", "a man but crawling"),
    ],
)
def test_what_or_joins_is_negated_with_it(text: str, left: str) -> None:
    assert leave_out_negated(query_of(text), LEXICON).text == left


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("a man falling without a bag or a hat", [("bag", "object"), ("hat", "garment")]),
        ("a woman without a red hat", [("red hat", "garment")]),
        ("a woman not wearing red or blue", [("red", "color"), ("blue", "color")]),
        ("a man who is not running", [("running", "action")]),
        ("nobody helps the man lying there", []),
        ("everyone except the man in red", []),
        ("a man without a zorblax", []),
        ("a man with a bag", []),
    ],
)
def test_each_negated_thing_can_be_asked_about(text: str, absent: list[tuple[str, str]]) -> None:
    assert [(slot.word, slot.kind) for slot in find_absent(query_of(text), LEXICON, KINDS)] == absent


def test_what_the_user_masks_is_not_asked_to_be_absent() -> None:
    text = "a woman not wearing red"
    query = query_of(text, mask_words(text, [Mask(word="red", kind="color")], LEXICON))
    assert find_absent(query, LEXICON, KINDS) == ()


def test_only_kinds_that_the_judge_can_see_are_asked_about() -> None:
    query = query_of("a man not running, without a bag, not wearing red")
    assert [slot.word for slot in find_absent(query, LEXICON, ["action", "color"])] == ["running", "red"]

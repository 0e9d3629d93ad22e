"""Warnings about the words of a query, as a sweep and a search give them."""

from types import SimpleNamespace
from typing import Any

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Query
from anomalylmm.rerank.score import RerankSettings
from flows.sweep.sweeping import warn_of_wording

LEXICON = Lexicon.load()


class ShortReader:
    """Reads 20 characters and does not know "blorp"."""

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ("blorp",) if "blorp" in text else ()

    def cut_off(self, text: str) -> str:
        return text[20:].strip()


def warn(text: str, **rerank: Any) -> tuple[str, ...]:
    composition: Any = SimpleNamespace(encoder=ShortReader(), lexicon=LEXICON, rerank=RerankSettings(**rerank))
    query = Query(name="q", text=text, cloze=mask_query(text, LEXICON), version="v")
    return warn_of_wording(composition, query)


def test_a_plain_sentence_gives_no_warning() -> None:
    assert warn("a person running") == ()


def test_an_unknown_word_and_an_end_that_is_cut_off_are_both_told() -> None:
    unknown, cut = warn("a blorp man walks by and falls down")
    assert unknown.endswith("no effect: blorp")
    assert '"and falls down"' in cut


def test_words_that_are_left_out_take_no_room() -> None:
    (negated,) = warn("a man falls without a red jacket")
    assert '"without a red jacket"' in negated


def test_only_what_the_judge_is_not_asked_about_is_warned_of() -> None:
    text = "a man, not running, without a bag"
    assert ['"not running", "without a bag"' in warning for warning in warn(text)] == [True]
    assert warn(text, negation=True) == ()
    kept = warn(text, negation=True, negation_kinds=("action", "color"))
    assert ["the judge is not asked" in warning and '"without a bag"' in warning for warning in kept] == [True]
    assert "running" not in kept[0]

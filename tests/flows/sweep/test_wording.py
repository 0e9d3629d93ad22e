"""Warnings about the words of a query, as a sweep and a search give them."""

from types import SimpleNamespace
from typing import Any

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Query
from flows.sweep.sweeping import warn_of_wording

LEXICON = Lexicon.load()


class ShortReader:
    """Reads 20 characters and does not know "blorp"."""

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ("blorp",) if "blorp" in text else ()

    def cut_off(self, text: str) -> str:
        return text[20:].strip()


def warn(text: str) -> tuple[str, ...]:
    composition: Any = SimpleNamespace(encoder=ShortReader(), lexicon=LEXICON)
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

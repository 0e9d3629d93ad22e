import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import UNKNOWN

LEXICON = Lexicon.load()


def actions(text):
    return [slot.word for slot in LEXICON.find_words(text, ("action",))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("somebody was hit by a car", ["colliding"]),
        ("a man hits another man", ["punching"]),
        ("he beats up someone", ["punching"]),
        ("talking on the phone", ["phoning"]),
        ("a man on the ground", ["lying"]),
        ("kicking a man on the ground", ["kicking"]),
        ("falls to the ground and lies still", ["falling", "lying"]),
        ("sat\n down", ["sitting"]),
        ("sat, down", ["sitting"]),
        ("a man with a walking stick in running shoes", []),
        ("a person waiting at the crossing", ["standing"]),
    ],
)
def test_behaviors_are_found_in_their_many_forms(text, words):
    assert actions(text) == words


def test_skin_and_hair_are_no_colors_of_clothes():
    assert LEXICON.find_words("a black man with gray hair in the dark", ("color",)) == ()


def test_the_longest_phrase_wins_whatever_its_kind():
    found = LEXICON.find_words("a man riding a bicycle in a dark blue t-shirt")
    assert [slot.word for slot in found] == ["man", "cycling", "blue", "shirt"]


def test_each_behavior_has_contrasts_and_each_color_all_others():
    for word in LEXICON.words("action"):
        assert 6 <= len(LEXICON.contrasts(word, "action")) <= 8
    assert len(LEXICON.words("color")) == 11
    assert set(LEXICON.contrasts("red", "color")) == set(LEXICON.words("color")) - {"red"}


def test_answers_are_compared_by_meaning():
    assert LEXICON.similarity("fell", "falling", "action") == 1.0
    assert LEXICON.similarity("grey", "gray", "color") == 1.0
    assert LEXICON.similarity("lying", "falling", "action") == 0.5
    assert LEXICON.similarity("walking", "falling", "action") == 0.0
    assert LEXICON.similarity(UNKNOWN, "falling", "action") == 0.0
    assert LEXICON.similarity("", "falling", "action") == 0.0
    assert LEXICON.similarity("juggling", "juggling", "action") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "ignore = [",
        "[mood.sad]\nforms = []",
        "[behavior.falling]\nsynonyms = []",
        "[behavior.falling]\ncontrasts = ['flying']",
        "[behavior.falling]\ncontrasts = ['falling']",
    ],
)
def test_a_wrong_lexicon_is_refused(text):
    with pytest.raises(ConfigurationError, match="lexicon"):
        Lexicon.parse(text)

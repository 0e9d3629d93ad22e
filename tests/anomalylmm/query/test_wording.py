"""What is said about the words of a query as people write them."""

from importlib import resources

import pytest

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query, paraphrases
from anomalylmm.query.wording import describe_wording
from anomalylmm.records import Query
from flows.sweep.query_file import default_query_file, read_queries

LEXICON = Lexicon.load()


def describe(text: str, *unknown: str) -> tuple[str, ...]:
    return describe_wording(Query(name="q", text=text, cloze=mask_query(text, LEXICON), version="v"), unknown, LEXICON)


@pytest.mark.parametrize(
    "text",
    [
        "ein Mann in roter Jacke f\u00e4llt auf den Boden",
        "un homme en veste bleu tombe du v\u00e9lo",
        "un hombre con chaqueta roja corre por la acera",
        "k\u0131rm\u0131z\u0131 ceketli bir adam yere d\u00fc\u015f\u00fcyor",
        "\u4e00\u4e2a\u7537\u4eba\u6454\u5012\u4e86",
    ],
)
def test_another_language_is_told_with_what_to_do(text: str) -> None:
    (message,) = describe(text, *(word for word in text.casefold().split() if word != "in"))
    assert message.startswith("the sentence was not understood")
    assert "write in English" in message


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cliimbing", "climbing"),
        ("lyng", "lying"),
        ("jaket", "jacket"),
        ("figthing", "fighting"),
        ("persn", "person"),
        ("bleu", "blue"),
    ],
)
def test_a_misspelled_word_gets_a_suggestion(typed: str, meant: str) -> None:
    (message,) = describe(f"a man and {typed}", typed)
    assert message.endswith(f'{typed} (did you mean "{meant}"?)')


@pytest.mark.parametrize("word", ["tall", "start", "third", "police", "helped", "gate", "watches"])
def test_a_correct_word_gets_no_suggestion(word: str) -> None:
    (message,) = describe(f"a man running, {word}", word)
    assert message.endswith(f"no effect: {word}")


@pytest.mark.parametrize("text", ["Hardly anybody walking", "a man almost falling", "a woman who nearly, nearly falls"])
def test_a_word_that_weakens_what_follows_is_named_as_not_understood(text: str) -> None:
    (message,) = describe(text, *text.casefold().replace(",", "").split())
    assert message.startswith('"')
    assert "is not understood" in message
    assert message.count('"') == 2


def test_a_color_behind_a_second_person_is_said_to_be_asked_of_the_first() -> None:
    (message,) = describe("a woman in a red coat falls while a boy in yellow waves")
    assert message.startswith('"yellow" is asked about the same person')
    assert describe("a man in a red coat pushing another man") == ()
    assert describe("a woman in a red coat and a blue hat") == ()


def test_function_words_and_words_of_the_lexicon_are_not_unknown() -> None:
    assert describe("a man drags his bag off while he squatted", "his", "off", "while", "he", "drags", "squatted") == ()


def test_what_must_not_be_seen_is_told() -> None:
    (message,) = describe("a man running without a bag", "without")
    assert '"without a bag"' in message


def test_an_english_sentence_with_two_unknown_words_is_understood() -> None:
    (message,) = describe("a woman with trolley and parrot", "trolley", "parrot")
    assert "have no effect: trolley, parrot" in message


def test_nothing_is_said_about_the_shipped_queries_and_their_paraphrases() -> None:
    queries = read_queries(default_query_file(), LEXICON)
    texts = [text for query in queries for text in (query.text, *paraphrases(query.cloze, LEXICON))]
    vocabulary = resources.files("anomalylmm").joinpath("weights/pocket/dual_encoder/vocabulary.txt").read_text()
    unknown = {text: [word for word in text.casefold().split() if word not in vocabulary.split()] for text in texts}
    assert [text for text in texts if describe(text, *unknown[text])] == []


def test_a_sentence_of_misspelled_words_gets_suggestions_too() -> None:
    (message,) = describe("a persn faling to the grond", "persn", "faling", "grond")
    assert message.startswith("the sentence was not understood")
    assert '"persn" (did you mean "person"?), "faling" (did you mean "falling"?)' in message


@pytest.mark.parametrize("text", ["nobody lying on the ground", "No one is running"])
def test_nobody_is_told_to_be_no_search_for_an_absence(text: str) -> None:
    assert any("can't tell that nobody is there" in message for message in describe(text))

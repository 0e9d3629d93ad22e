"""Finds what a sentence says must not be seen ("without a bag"); knows no model.

A dual encoder hardly hears a "not": the vector of "without a bag" lies near "with a bag".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import Query, Slot, SlotKind

Span = tuple[int, int]

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[^\s\w]")
_OF_NOUNS = frozenset("without no except neither nor minus sans lacking lacks".split())
_OF_CLAUSES = frozenset(("nobody", "none"))
_OF_VERBS = frozenset(("not", "never", "cannot")) | {
    f"{verb}nt"
    for verb in "is are was were does do did has have had ca wo could".split()  # without the apostrophe
}
_PAIRS = {
    ("no", "longer"): "verb",
    ("unable", "to"): "verb",
    ("no", "one"): "clause",
    ("instead", "of"): "noun",
    ("rather", "than"): "noun",
}
_GOES_ON = frozenset("stop stops stopping stopped cease ceases end ends".split())  # "does not stop running" runs
_HARMLESS = {  # what follows a negation that negates nothing seen
    "not": frozenset("only just far".split()),
    "no": frozenset("entry parking smoking stopping trespassing doubt matter exit".split()),
}
_BEFORE = frozenset(  # left out with the negation that follows: "who is not running", "with no bag"
    "who that which is are was were has have had does do did with but and or while he she they it".split()
)
_STOPS = frozenset("but while who whose which that then when as because although though if before after until".split())
_LEADS = frozenset(  # what may stand between the negation and its phrase
    "a an the any his her their its my your some even being been be have having has had for to also yet ever anymore"
    " either wear wears wearing worn dressed holding using with in on".split()
)
_PREPOSITIONS = frozenset(
    "in on at by near behind beside under over along past from into onto to with of next across through around".split()
)
_THINGS: frozenset[SlotKind] = frozenset(("garment", "object", "person", "place"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    start: int
    stop: int
    word: str
    kind: SlotKind | None = None
    opens: bool = False  # a determiner or the like


def find_negated(text: str, lexicon: Lexicon) -> tuple[Span, ...]:
    """Finds the negated phrases of a text with their negation, in reading order; they do not overlap.

    The phrase ends with its first thing or behavior, with a conjunction or a punctuation mark: in "a man without a red
    hat running away" it is "without a red hat". Further things joined by "and" or "or" belong to it.
    """
    tokens = _read_tokens(text, lexicon)
    spans: list[Span] = []
    index = 0
    while index < len(tokens):
        reach, skip = _read_negator(tokens, index)
        if not reach:
            index += 1
            continue
        stop = _end_of_nobody(tokens, index) if reach == "clause" else _end_of_phrase(tokens, index + skip, reach)
        first = _first_token(tokens, index, tokens[stop - 1])
        spans.append((tokens[first].start, tokens[stop - 1].stop))
        index = stop
    return tuple(spans)


def find_absent(query: Query, lexicon: Lexicon, kinds: Sequence[SlotKind]) -> tuple[Slot, ...]:
    """Finds what a query says must not be seen, each as a slot of its own that can be asked about, in reading order.

    A color belongs to the thing behind it: "without a red hat" says nothing about a blue one. A phrase about other
    people ("nobody helps", "except the man in red") says nothing of the person searched for and gives no slot, and
    neither does one with a word that the user masked.
    """
    words = lexicon.find_words(query.text)
    found: list[Slot] = []
    for start, stop in find_negated(query.text, lexicon):
        inside = [slot for slot in words if start <= slot.start and slot.stop <= stop]
        masked = any(slot.start < stop and start < slot.stop for slot in query.cloze.slots)
        if not masked and not any(slot.kind == "person" for slot in inside):
            found += _join_colors(query.text, inside)
    return tuple(slot for slot in found if slot.kind in kinds)


def _join_colors(text: str, slots: Sequence[Slot]) -> list[Slot]:
    """Joins each color with the thing right behind it."""
    joined: list[Slot] = []
    for slot in slots:
        before = joined[-1] if joined else None
        if before and before.kind == "color" and slot.kind in _THINGS and not text[before.stop : slot.start].strip():
            joined[-1] = replace(slot, start=before.start, word=f"{before.word} {slot.word}", contrasts=())
        else:
            joined.append(replace(slot, contrasts=()))
    return joined


def _read_tokens(text: str, lexicon: Lexicon) -> list[_Token]:
    """Reads words and punctuation; phrases that the lexicon knows are one token each."""
    phrases = {slot.start: slot for slot in lexicon.find_words(text)}
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(text):
        start, stop = match.span()
        if tokens and start < tokens[-1].stop:
            continue
        word = match.group().casefold().replace("\u2019", "'")
        slot = phrases.get(start)
        if slot:
            tokens.append(_Token(start=start, stop=slot.stop, word=word, kind=slot.kind))
        else:
            tokens.append(_Token(start=start, stop=stop, word=word, opens=word in _LEADS))
    return tokens


def _read_negator(tokens: list[_Token], index: int) -> tuple[str, int]:
    """Returns what the token negates (noun, verb, clause or nothing), and how many tokens the negation has."""
    word = tokens[index].word
    following = tokens[index + 1].word if index + 1 < len(tokens) else ""
    if not following or following in _HARMLESS.get(word, ()):
        return ("clause", 1) if word in _OF_CLAUSES else ("", 0)
    if following in _GOES_ON or (word == "no" and not following[0].isalnum()):  # "a No. 7 shirt"
        return "", 0
    if (word, following) in _PAIRS:
        return _PAIRS[word, following], 2
    if word in _OF_CLAUSES:
        return "clause", 1
    if word in _OF_NOUNS:
        return "noun", 1
    return ("verb", 1) if word in _OF_VERBS or word.endswith("n't") else ("", 0)


def _ends(token: _Token) -> bool:
    return token.word in _STOPS or not token.word[0].isalnum()


def _end_of_clause(tokens: list[_Token], index: int) -> int:
    """Returns where a clause about a person ends: at a punctuation mark, or at "but"."""
    ends = (at for at in range(index + 1, len(tokens)) if not tokens[at].word[0].isalnum() or tokens[at].word == "but")
    return next(ends, len(tokens))


def _end_of_nobody(tokens: list[_Token], index: int) -> int:
    """Returns where ends what nobody does; "nobody helps the man | lying there" says what that man does."""
    for at in range(index + 1, len(tokens)):
        follows_person = tokens[at].kind == "action" and tokens[at - 1].kind == "person"
        if follows_person or (at > index + 1 and _ends(tokens[at])):
            return at
    return len(tokens)


def _end_of_phrase(tokens: list[_Token], index: int, reach: str) -> int:
    """Returns where the phrase ends that begins at a token."""
    first, has_verb = index, False
    while index < len(tokens) and not _ends(tokens[index]):
        token = tokens[index]
        if token.kind == "person":  # "except the man in red"
            return _end_of_clause(tokens, index)
        if token.kind in _THINGS:
            return _end_of_series(tokens, index + 1)
        if token.kind == "action":
            if index > first and reach == "noun" and not tokens[index - 1].opens:
                return index  # "without helmet | riding a bicycle"
            has_verb = True
        elif token.kind is None and not token.opens and _is_loose(tokens, index):
            return _end_of_series(tokens, index + 1)
        index += 1
        if (has_verb or token.kind == "color") and not _goes_on_to_thing(tokens, index):
            return _end_of_alternatives(tokens, index, "action" if has_verb else "color")
    return index


def _end_of_alternatives(tokens: list[_Token], index: int, kind: SlotKind) -> int:
    """Returns where the behaviors or colors joined by "or" end: "not running or walking", "not wearing red or blue"."""
    while index < len(tokens) and tokens[index].word == "or":
        at = next((at for at in range(index + 1, len(tokens)) if not tokens[at].opens), len(tokens))
        if at == len(tokens) or tokens[at].kind != kind:
            break
        index = at + 1
        if _goes_on_to_thing(tokens, index):  # "or carrying | a bag"
            index = next(place for place in range(index, len(tokens)) if tokens[place].kind in _THINGS) + 1
    return index


def _is_loose(tokens: list[_Token], index: int) -> bool:
    """Returns whether an unknown word ends its phrase: no other word of the phrase follows it."""
    if index + 1 == len(tokens):
        return True
    following = tokens[index + 1]
    return following.kind in {"action", "color"} or following.opens or following.word in _PREPOSITIONS | {"and", "or"}


def _goes_on_to_thing(tokens: list[_Token], index: int) -> bool:
    while index < len(tokens) and (
        (tokens[index].opens and tokens[index].word not in _PREPOSITIONS) or tokens[index].kind == "color"
    ):
        index += 1
    return index < len(tokens) and tokens[index].kind in _THINGS


def _end_of_series(tokens: list[_Token], index: int) -> int:
    """Returns where the things joined by "and" or "or" end; a person begins a new part of the sentence."""
    while index + 1 < len(tokens) and tokens[index].word in {"and", "or"} and _goes_on_to_thing(tokens, index + 1):
        at = next(place for place in range(index + 1, len(tokens)) if tokens[place].kind in _THINGS)
        if tokens[at].kind == "person":
            break
        index = at + 1
    return index


def _first_token(tokens: list[_Token], index: int, last: _Token) -> int:
    """Returns the first token to leave out: what only leads to the negation goes with it."""
    ends = last is tokens[-1] or not tokens[tokens.index(last) + 1].word[0].isalnum()
    while index > 0 and tokens[index - 1].word in _BEFORE and (ends or tokens[index - 1].word not in {"and", "but"}):
        index -= 1
    return index

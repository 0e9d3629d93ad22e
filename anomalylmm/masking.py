"""Turns a query's sentence into a cloze, and into other sentences that mean the same; knows words only.

First step of the paper's masked cross-modal prompting: key verbs and color words of the query are masked.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from anomalylmm.errors import QueryError
from anomalylmm.lexicon import Lexicon
from anomalylmm.records import Cloze, Slot, SlotKind

BLANK = "[MASK]"
MOST_CHARACTERS = 1000
DEFAULT_KINDS: tuple[SlotKind, ...] = ("action", "color")


def mask_query(text: str, lexicon: Lexicon, kinds: Iterable[SlotKind] = DEFAULT_KINDS) -> Cloze:
    """Masks the words of some kinds; a text without such words gives a cloze without slots.

    Raises:
        QueryError: The text is empty, has no word, is over 1,000 characters long, or holds control characters or a
            blank of its own.
    """
    check_text(text)
    slots = lexicon.find_words(text, kinds)
    return Cloze(text=text, slots=slots, masked=_mask(text, slots))


def cloze_from_spans(text: str, spans: Sequence[Slot], lexicon: Lexicon) -> Cloze:
    """Builds a cloze from slots that a user has edited.

    A slot without a word asks for what stands in its span, in the lexicon's form; one without contrasts gets the
    lexicon's.

    Raises:
        QueryError: The text can't be used, a span lies outside it or holds no letter, or two spans overlap.
    """
    check_text(text)
    slots = tuple(_complete(text, slot, lexicon) for slot in sorted(spans, key=lambda slot: slot.start))
    for before, after in pairwise(slots):
        if after.start < before.stop:
            raise QueryError(
                f"masks {text[before.start : before.stop]!r} and {text[after.start : after.stop]!r} overlap; "
                "mask each word once"
            )
    return Cloze(text=text, slots=slots, masked=_mask(text, slots))


def find_span(text: str, phrase: str) -> tuple[int, int]:
    """Finds where a phrase stands in a text, whatever its case, for masks that are named by their words.

    Raises:
        QueryError: The text does not hold the phrase.
    """
    start = text.lower().find(phrase.lower()) if phrase.strip() else -1
    if start < 0 or len(text.lower()) != len(text):
        start = text.find(phrase) if phrase.strip() else -1
    if start < 0:
        raise QueryError(f"the mask {phrase!r} is not in the query {text!r}; a mask must be words of the query")
    return start, start + len(phrase)


def check_text(text: str) -> None:
    """Checks that a text can be a query.

    Raises:
        QueryError: It is empty, has no word, is over 1,000 characters long, or holds control characters or a blank.
    """
    if not any(character.isalpha() for character in text):
        raise QueryError(f"the query {text[:80]!r} has no word; describe a person and what they do")
    if len(text) > MOST_CHARACTERS:
        raise QueryError(f"the query has {len(text)} characters, but may have {MOST_CHARACTERS}; shorten it")
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\t\n\r" for character in text):
        raise QueryError(f"the query {text[:80]!r} holds control characters; remove them")
    if BLANK in text:
        raise QueryError(f"the query {text[:80]!r} holds {BLANK}, which marks blanks; write the word instead")


def paraphrases(cloze: Cloze, lexicon: Lexicon, limit: int = 4) -> tuple[str, ...]:
    """Writes up to ``limit`` other sentences of the same meaning, whose vectors are averaged with the original's.

    The first keeps the sentence and puts canonical words for behaviors and colors; the others are templates filled
    with person, clothes and behavior, and leave out what the lexicon does not know. (A rewritten view averaged with
    the original gave +1 point R@1 on PAB.)
    """
    behaviors = [slot.word for slot in cloze.slots if slot.kind == "action"]
    clothes = _clothes(cloze.text, lexicon)
    person = next((slot.word for slot in lexicon.find_words(cloze.text, ("person",))), "person")
    a_person = f"{'an' if person[0] in 'aeiou' else 'a'} {person}"
    variants = [_canonical_text(cloze)]
    if behaviors or clothes:
        variants += _fill_templates(a_person, " and ".join(dict.fromkeys(behaviors)), " and ".join(clothes))
    original = " ".join(cloze.text.casefold().split()).rstrip(" .")
    unique = dict.fromkeys(variant for variant in variants if variant.casefold().rstrip(" .") != original)
    return tuple(unique)[: max(0, limit)]


def _fill_templates(a_person: str, behavior: str, clothes: str) -> list[str]:
    if not behavior:
        return [f"{a_person} in {clothes}", f"{a_person} wearing {clothes}", f"a photo of {a_person} in {clothes}"]
    if not clothes:
        return [f"{a_person} is {behavior}", f"someone is {behavior}", f"a photo of {a_person} {behavior}"]
    return [
        f"{a_person} in {clothes} is {behavior}",
        f"{a_person} wearing {clothes} {behavior}",
        f"{a_person} is {behavior}, dressed in {clothes}",
    ]


def _clothes(text: str, lexicon: Lexicon) -> list[str]:
    """Lists garments with the color before them ("a red jacket"), and colors without one ("blue clothes")."""
    found = lexicon.find_words(text, ("color", "garment"))
    described: list[str] = []
    color: Slot | None = None
    for slot in found:
        if slot.kind == "color":
            described += [f"{color.word} clothes"] if color else []
            color = slot
        else:
            described.append(_garment(slot.word, color.word if color else ""))
            color = None
    return described + ([f"{color.word} clothes"] if color else [])


def _garment(word: str, color: str) -> str:
    phrase = f"{color} {word}".strip()
    if word in {"trousers", "shorts", "shoes"}:
        return phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _canonical_text(cloze: Cloze) -> str:
    parts, position = [], 0
    for slot in cloze.slots:
        parts += [cloze.text[position : slot.start], slot.word]
        position = slot.stop
    return " ".join("".join([*parts, cloze.text[position:]]).split())


def _mask(text: str, slots: Sequence[Slot]) -> str:
    parts, position = [], 0
    for slot in slots:
        parts += [text[position : slot.start], BLANK]
        position = slot.stop
    return "".join([*parts, text[position:]])


def _complete(text: str, slot: Slot, lexicon: Lexicon) -> Slot:
    inside = 0 <= slot.start < slot.stop <= len(text)
    span = text[slot.start : slot.stop] if inside else ""
    if not any(character.isalpha() for character in span):
        raise QueryError(f"a mask spans characters {slot.start} to {slot.stop}, which are no word of {text!r}")
    word = lexicon.canonical(slot.word or span, slot.kind)
    return replace(slot, word=word, contrasts=slot.contrasts or lexicon.contrasts(word, slot.kind))

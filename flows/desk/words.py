"""The words of a query's sentence, and which of them are masked."""

import json
import re
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A piece of a sentence: a masked span, a word, or what is between words."""

    text: str
    is_word: bool = False
    kind: str = ""  # of the mask; empty: not masked
    means: str = ""  # what the mask asks for
    contrasts: tuple[str, ...] = ()


def split_words(text: str, cloze: str) -> tuple[Word, ...]:
    """Splits a sentence at its masks and words; ``cloze`` is the masked sentence as JSON, empty for none."""
    slots = sorted(json.loads(cloze)["slots"], key=lambda slot: slot["start"]) if cloze else []
    pieces, place = [], 0
    for slot in slots:
        pieces += _plain(text[place : slot["start"]])
        masked = text[slot["start"] : slot["stop"]]
        contrasts = tuple(slot.get("contrasts", ()))
        pieces.append(Word(text=masked, is_word=True, kind=slot["kind"], means=slot["word"], contrasts=contrasts))
        place = slot["stop"]
    return (*pieces, *_plain(text[place:]))


def _plain(text: str) -> list[Word]:
    pieces, place = [], 0
    for found in _WORD.finditer(text):
        pieces += [Word(text=text[place : found.start()])] if found.start() > place else []
        pieces.append(Word(text=found.group(), is_word=True))
        place = found.end()
    return [*pieces, Word(text=text[place:])] if place < len(text) else pieces

"""The words of a query's sentence, and which of them are masked."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anomalylmm.records import Slot

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A piece of a sentence: a masked span, a word, or what is between words."""

    text: str
    is_word: bool = False
    kind: str = ""  # of the mask; empty: not masked
    means: str = ""  # what the mask asks for
    contrasts: tuple[str, ...] = ()


def split_words(text: str, slots: Sequence[Slot]) -> tuple[Word, ...]:
    """Splits a sentence at its masks and words."""
    pieces: list[Word] = []
    place = 0
    for slot in sorted(slots, key=lambda slot: slot.start):
        pieces += _plain(text[place : slot.start])
        masked = text[slot.start : slot.stop]
        pieces.append(Word(text=masked, is_word=True, kind=slot.kind, means=slot.word, contrasts=slot.contrasts))
        place = slot.stop
    return (*pieces, *_plain(text[place:]))


def read_slots(cloze: str) -> list[Slot]:
    """Reads the slots of a masked sentence that was saved as JSON; none if the text is empty."""
    rows: list[dict[str, Any]] = json.loads(cloze)["slots"] if cloze else []
    return [Slot(**{**row, "contrasts": tuple(row["contrasts"])}) for row in rows]


def _plain(text: str) -> list[Word]:
    pieces: list[Word] = []
    place = 0
    for found in _WORD.finditer(text):
        pieces += [Word(text=text[place : found.start()])] if found.start() > place else []
        pieces.append(Word(text=found.group(), is_word=True))
        place = found.end()
    return [*pieces, Word(text=text[place:])] if place < len(text) else pieces

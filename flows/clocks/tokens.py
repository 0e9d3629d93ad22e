"""Divides a path into numbers, words and separators, and reads numbers that are separated in a given way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_TOKEN = re.compile(r"(?P<number>[0-9]+)|(?P<word>[^\W\d_]+)|(?P<other>.)", re.DOTALL)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a word or one other character of a path."""

    kind: str  # number, word or other
    text: str
    start: int  # position in the path
    stop: int

    @property
    def month(self) -> int:
        """The month that a word names, or 0."""
        name = self.text.lower()
        if self.kind != "word":
            return 0
        return next((i + 1 for i, pair in enumerate(zip(MONTHS, _LONG_MONTHS, strict=True)) if name in pair), 0)


def tokenize(path: str) -> list[Token]:
    """Divides a path into tokens, which cover it completely."""
    return [Token(match.lastgroup or "other", match.group(), *match.span()) for match in _TOKEN.finditer(path)]


def read_separated(tokens: Sequence[Token], first: int, sizes: Sequence[range], separators: str) -> list[int] | None:
    """Returns the places of numbers that follow each other with one separator between them.

    Args:
        tokens: The tokens of a path.
        first: Place of the first number.
        sizes: For each number, how many digits it may have. Only a number of up to two digits may be a month's name.
        separators: The characters that may stand between two numbers. All must be equal, except for ``/``.
    """
    places = [first + 2 * index for index in range(len(sizes))]
    if places[-1] >= len(tokens):
        return None
    for place, size in zip(places, sizes, strict=True):
        token = tokens[place]
        if not (token.kind == "number" and len(token.text) in size) and not (token.month and 2 in size):
            return None
    between = {tokens[place - 1].text.lower() for place in places[1:]}
    if not between <= set(separators) or len(between - {"/"} - set("年月ym")) > 1:
        return None
    return places


def is_whole_component(tokens: Sequence[Token], place: int) -> bool:
    """Returns whether a token is a whole folder name, or the whole name of the file."""
    before, after = place - 1, place + 1
    return (before < 0 or tokens[before].text == "/") and (after >= len(tokens) or tokens[after].text == "/")


def are_adjacent(tokens: Sequence[Token], first: int, second: int, words: frozenset[str] = frozenset()) -> bool:
    """Returns whether only separators, or some of ``words``, stand between two tokens of one folder or file name."""
    between = tokens[first + 1 : second]
    return all(
        token.text.lower() in words if token.kind == "word" else token.kind == "other" and token.text != "/"
        for token in between
    )


def component_of(tokens: Sequence[Token], place: int) -> int:
    """Returns how many folders are before a token."""
    return sum(token.text == "/" for token in tokens[:place])


def cut_spans(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """Returns the pieces of a text before, between and after spans."""
    edges = [0, *(edge for span in sorted(spans) for edge in span), len(text)]
    return [text[start:stop] for start, stop in list(pairwise(edges))[::2]]

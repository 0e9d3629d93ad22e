"""Knows the words for behaviors, colors and things, with inflections, synonyms and contrasts; knows no model."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import Any

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import UNKNOWN, Slot, SlotKind

NEAR_AGREEMENT = 0.5  # of words that half agree, as falling and lying
_TABLES: Mapping[str, SlotKind] = {
    "behavior": "action",
    "color": "color",
    "garment": "garment",
    "object": "object",
    "person": "person",
    "place": "place",
}
_KEYS = frozenset(("forms", "tails", "phrases", "weak", "near", "contrasts", "before", "after"))
_WORD = re.compile(r"[^\W_]+[\u0300-\u036f]*(?:[^\W_]+[\u0300-\u036f]*)*")
_JOINT = re.compile(r"[\s\-\u2010-\u2015\u2019']+")
_Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A canonical word and the phrases that stand for it."""

    word: str
    kind: SlotKind
    phrases: tuple[str, ...]
    tailed: tuple[str, ...] = ()  # built from forms and tails; phrases that are written out take precedence
    weak: tuple[str, ...] = ()  # phrases that count only if no other behavior is named
    near: tuple[str, ...] = ()
    contrasts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # what is seen before and after a behavior that is a change
    after: tuple[str, ...] = ()


class Lexicon:
    """Finds canonical words in free text and compares words by meaning."""

    def __init__(self, entries: Iterable[Entry], ignore: Iterable[str] = ()) -> None:
        self.entries = tuple(entries)
        self._by_word = {(entry.kind, entry.word): entry for entry in self.entries}
        self._phrases: dict[_Tokens, list[tuple[Entry | None, bool]]] = {}
        for phrase in ignore:
            self._add(phrase, None, weak=False)
        for entry in self.entries:
            for phrase in entry.phrases:
                self._add(phrase, entry, weak=False)
        for entry in self.entries:
            for phrase in entry.tailed:
                self._add(phrase, entry, weak=False)
            for phrase in entry.weak:
                self._add(phrase, entry, weak=True)
        self.tokens = frozenset(token for phrase in self._phrases for token in phrase)  # all words of all phrases
        self._most_tokens = max(map(len, self._phrases), default=0)
        self._check()

    @classmethod
    def load(cls) -> "Lexicon":
        """Loads the lexicon shipped with the package."""
        text = resources.files("anomalylmm.query").joinpath("lexicon.toml").read_text(encoding="utf-8")
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> "Lexicon":
        """Builds a lexicon from the text of a file like ``lexicon.toml``.

        Raises:
            ConfigurationError: The text is not TOML, has an unknown table or key, or names a word that it lacks.
        """
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"the lexicon is not valid TOML: {error}") from error
        ignore = content.pop("ignore", [])
        unknown = sorted(set(content) - set(_TABLES))
        if unknown:
            raise ConfigurationError(f"the lexicon has tables {unknown}, but may have {sorted(_TABLES)} only")
        tables = {_TABLES[name]: table for name, table in content.items()}
        entries = [
            _entry(kind, word, row, tuple(table)) for kind, table in tables.items() for word, row in table.items()
        ]
        return cls(entries, ignore)

    def find_words(self, text: str, kinds: Iterable[SlotKind] | None = None) -> tuple[Slot, ...]:
        """Finds the words of all kinds (or of some) as spans that do not overlap, in reading order.

        The longest phrase wins over the shorter ones inside it, whatever their kind: in "on the phone" the phone is
        not an object.
        """
        taken: list[tuple[Slot | None, int, int, bool]] = []
        for start, stop, found, weak in self._iter_matches(text):
            if all(stop <= other_start or start >= other_stop for _, other_start, other_stop, _ in taken):
                taken.append((_slot(start, stop, found), start, stop, weak))
        strong_action = any(slot and slot.kind == "action" and not weak for slot, _, _, weak in taken)
        wanted = None if kinds is None else frozenset(kinds)
        slots = [slot for slot, _, _, weak in taken if slot and not (weak and strong_action)]
        slots = [slot for slot in slots if wanted is None or slot.kind in wanted]
        return tuple(sorted(slots, key=lambda slot: slot.start))

    def canonical(self, word: str, kind: SlotKind) -> str:
        """Returns the canonical word of a form ("fell" becomes "falling"), or the word itself in lower case."""
        tokens = _tokens(word)
        for entry, _ in self._phrases.get(tokens, ()):
            if entry and entry.kind == kind:
                return entry.word
        return " ".join(tokens)

    def contrasts(self, word: str, kind: SlotKind) -> tuple[str, ...]:
        """Lists the canonical words to compare a canonical word with; empty if the lexicon lacks it."""
        entry = self._by_word.get((kind, word))
        return entry.contrasts if entry else ()

    def order(self, word: str, kind: SlotKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Lists what is seen before and after a canonical word; both empty if it is no change."""
        entry = self._by_word.get((kind, word))
        return (entry.before, entry.after) if entry else ((), ())

    def words(self, kind: SlotKind) -> tuple[str, ...]:
        """Lists the canonical words of a kind."""
        return tuple(entry.word for entry in self.entries if entry.kind == kind)

    def similarity(self, answer: str, word: str, kind: SlotKind) -> float:
        """Compares a judge's answer with the word asked for: 1 same meaning, 0.5 near, 0 other or UNKNOWN.

        The paper compares with a model. A table tells apart what matters (walking and falling), which is close in any
        word embedding.
        """
        if answer == UNKNOWN or not _tokens(answer):
            return 0.0
        given, asked = self.canonical(answer, kind), self.canonical(word, kind)
        if given == asked:
            return 1.0
        entry = self._by_word.get((kind, asked))
        return NEAR_AGREEMENT if entry and given in entry.near else 0.0

    def _add(self, phrase: str, entry: Entry | None, *, weak: bool) -> None:
        rows = self._phrases.setdefault(_tokens(phrase), [])
        if all(known is not entry for known, _ in rows):
            rows.append((entry, weak))

    def _iter_matches(self, text: str) -> Iterator[tuple[int, int, Entry | None, bool]]:
        """Yields all phrases of the text, longest first, then in reading order."""
        spans = [match.span() for match in _WORD.finditer(text)]
        words = [text[start:stop].casefold() for start, stop in spans]
        joined = [bool(_JOINT.fullmatch(text[a[1] : b[0]])) for a, b in pairwise(spans)]
        for length in range(self._most_tokens, 0, -1):
            for first in range(len(words) - length + 1):
                rows = self._phrases.get(tuple(words[first : first + length]))
                if rows and all(joined[first : first + length - 1]):
                    entry, weak = rows[0]
                    yield spans[first][0], spans[first + length - 1][1], entry, weak

    def _check(self) -> None:
        for entry in self.entries:
            for other in (*entry.near, *entry.contrasts, *entry.before, *entry.after):
                if (entry.kind, other) not in self._by_word:
                    raise ConfigurationError(
                        f"the lexicon's {entry.word} names {other}, which is no {entry.kind} in it"
                    )
            if bool(entry.before) != bool(entry.after):
                raise ConfigurationError(f"the lexicon's {entry.word} needs both before and after, or neither")
            if {entry.word, *entry.near} & set(entry.contrasts):
                raise ConfigurationError(f"the lexicon's {entry.word} has itself or a near word among its contrasts")


def _tokens(phrase: str) -> _Tokens:
    return tuple(match.group().casefold() for match in _WORD.finditer(phrase))


def _slot(start: int, stop: int, entry: Entry | None) -> Slot | None:
    if entry is None:
        return None
    return Slot(start=start, stop=stop, word=entry.word, kind=entry.kind, contrasts=entry.contrasts)


def _entry(kind: SlotKind, word: str, row: dict[str, Any], siblings: tuple[str, ...]) -> Entry:
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        raise ConfigurationError(f"the lexicon's {word} has keys {unknown}, but may have {sorted(_KEYS)} only")
    forms = [word, *row.get("forms", ())]
    tailed = [f"{form} {tail}" for form in forms for tail in row.get("tails", ())]
    near = tuple(row.get("near", ()))
    others = tuple(other for other in siblings if other != word and other not in near)
    return Entry(
        word=word,
        kind=kind,
        phrases=(*forms, *row.get("phrases", ())),
        tailed=tuple(tailed),
        weak=tuple(row.get("weak", ())),
        near=near,
        contrasts=tuple(row["contrasts"]) if "contrasts" in row else others,
        before=tuple(row.get("before", ())),
        after=tuple(row.get("after", ())),
    )

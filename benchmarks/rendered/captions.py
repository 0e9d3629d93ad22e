"""Caption grammar: turns the facts of a rendered person into sentences of many shapes.

Knows words only; it must not know pictures, files or models. In the tables, `*` stands
before the head word of an action; colors are marked when they are filled in. Held-out
phrasings combine words that training captions use elsewhere, never unknown words.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from string import Formatter
from typing import Any

from benchmarks.rendered.phrases import (
    ACTS,
    ANSWERS,
    ANY_WORDS,
    ANYONE,
    ATTIRE,
    BEHAVIORS,
    COLOR_WORDS,
    COLORS,
    FULL,
    FULL_HELD,
    HELD,
    HELD_OUT_TEMPLATES,
    KIND_FACTS,
    KIND_WORDS,
    MEDIUM,
    NOT_SAID,
    OPEN,
    PAIRS,
    PERSONS,
    PLURAL,
    SHORT,
    STYLES,
    TEMPLATES,
    WHO_FACTS,
)

__all__ = [
    "ANSWERS",
    "BEHAVIORS",
    "COLORS",
    "HELD_OUT_TEMPLATES",
    "PERSONS",
    "STYLES",
    "TEMPLATES",
    "Caption",
    "Slot",
    "action_words",
    "agrees",
    "facts_of",
    "iter_words",
    "write_caption",
    "write_match_caption",
]

_MARK = re.compile(r"\*([a-z-]+)|<([a-z]+):([a-z]+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One blank of a caption: where its word stands and what a picture would answer."""

    start: int
    end: int
    kind: str  # "action" or "color"
    field: str  # the fact it states: "behavior", "upper", "lower", "shoes", "hat", "bag"
    answer: str  # canonical word


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A sentence, the facts it states (field to accepted values) and its slots in reading order."""

    text: str
    facts: Mapping[str, frozenset[str]]
    slots: tuple[Slot, ...]

    def cloze(self, blank: str = "[MASK]") -> str:
        """The text with every slot replaced by a blank."""
        text = self.text
        for slot in reversed(self.slots):
            text = text[: slot.start] + blank + text[slot.end :]
        return text


def facts_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Flatten a row of the crops benchmark into the facts that captions can state."""
    facts = {"behavior": str(row["behavior"]), "person": str(row["person"])}
    facts |= {part: str(row[part]["color"]) for part in ("upper", "lower", "shoes", "hat", "bag") if row.get(part)}
    facts |= {f"{part}_kind": str(row[part].get("kind")) for part in ("upper", "lower", "bag") if row.get(part)}
    facts |= {
        key: str(row[key]) for key in ("hair", "place") if isinstance(row.get(key), str) and row[key] not in NOT_SAID
    }
    facts["night"] = str(bool(row.get("night")))
    return facts


def agrees(caption: Caption, facts: Mapping[str, str]) -> bool:
    """Whether a picture with these facts satisfies everything the caption states."""
    return all(facts.get(field) in accepted for field, accepted in caption.facts.items())


def write_caption(row: Mapping[str, Any], rng: Random, *, held_out: bool = False, style: str | None = None) -> Caption:
    """Write one caption of a person.

    Args:
        row: One row of the crops benchmark.
        rng: The only source of chance.
        held_out: Use the phrasings that training never sees.
        style: "short", "medium", "long" or "full" (all that is known); one of the first three at random when absent.
    """
    facts = facts_of(row)
    style = style or rng.choices(STYLES, (0.45, 0.35, 0.2))[0]
    if style == "short" and not held_out and facts["behavior"] in PAIRS and rng.random() < 0.12:
        return _finish(rng.choice(PAIRS[facts["behavior"]].split("|")), facts, {"behavior"})
    if style == "full":
        return _fill(_full_template(facts, rng, held_out=held_out), facts, rng, held_out=held_out)
    table = HELD_OUT_TEMPLATES if held_out else TEMPLATES
    template = rng.choice(
        [text for text in rng.choices(table[style], k=24) if _possible(text, facts)] or ["{who} {ing}"]
    )
    return _fill(template, facts, rng, held_out=held_out)


def _full_template(facts: Mapping[str, str], rng: Random, *, held_out: bool) -> str:
    table = FULL_HELD if held_out else FULL
    parts = [part for part in table if part not in ("hat", "bag") or part in facts]
    sentences = [[text for text in table[part].split("|") if _possible(text, facts)] for part in parts]
    return " ".join(rng.choice(texts) for texts in sentences if texts)


def write_match_caption(row: Mapping[str, Any], rng: Random, *, held_out: bool = False) -> Caption:
    """Write a caption that states behavior, upper and lower color, for retrieval figures."""
    while True:
        caption = write_caption(row, rng, held_out=held_out, style=rng.choice(("medium", "long")))
        if {"behavior", "upper", "lower"} <= set(caption.facts):
            return caption


def action_words() -> dict[str, list[str]]:
    """For every behavior the single words that stand for it in captions (the heads of its phrases)."""
    return {behavior: sorted(set(re.findall(r"\*([a-z-]+)", "|".join(entry)))) for behavior, entry in ACTS.items()}


def iter_words() -> Iterator[str]:
    """Every word of the grammar, once each, for building a vocabulary."""
    entries = ["|".join(entry) for entry in ACTS.values()]
    phrases = [*entries, *PAIRS.values(), *COLORS, *PERSONS, *ANYONE, *WHO_FACTS]
    phrases += [word for table in (KIND_WORDS, ANY_WORDS, COLOR_WORDS) for words in table.values() for word in words]
    phrases += [SHORT, MEDIUM, OPEN, ATTIRE, *FULL.values(), *FULL_HELD.values(), *HELD.values()]
    phrases += ["a an the with hair clothes in"]
    yield from sorted(set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", " ".join(phrases)).lower())))


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _possible(template: str, facts: Mapping[str, str]) -> bool:
    names = _PARTS | {"place": "place", "hair": "hair"}
    wanted = {names.get(name, "behavior") for name in _names(template)}
    night = facts.get("night") == "True" or "night" not in template
    return night and wanted <= set(facts)


def _article(phrase: str) -> str:
    head, first = phrase.rpartition(" ")[2], phrase.rpartition(":")[2]
    if head in PLURAL or head.endswith("clothes"):
        return phrase
    return f"{'an' if first[0] in 'aeiou' else 'a'} {phrase}"


def _color(part: str, facts: Mapping[str, str], rng: Random) -> str:
    return f"<{part}:{rng.choice(COLOR_WORDS.get(facts[part], (facts[part],)))}>"


def _garment(part: str, facts: Mapping[str, str], rng: Random) -> str:
    words = KIND_WORDS.get(facts.get(f"{part}_kind", ""), ANY_WORDS[part])
    return f"{_color(part, facts, rng)} {rng.choice(words)}"


def _who(facts: Mapping[str, str], rng: Random) -> tuple[str, frozenset[str] | None]:
    if rng.random() < 0.5:
        return rng.choice(ANYONE), None
    word = rng.choice(PERSONS.get(facts["person"], ("person",)))
    return word, None if word in ANYONE else WHO_FACTS.get(word, frozenset((word,)))


def _act(name: str, facts: Mapping[str, str], rng: Random, held_out: bool) -> str:
    entry = ACTS[facts["behavior"]]
    return rng.choice(entry[(1 if name == "ing" else 2) + 2 * held_out].split("|"))


_PARTS = {"upper": "upper", "u": "upper", "uc": "upper", "lower": "lower", "l": "lower", "lc": "lower"}
_PARTS |= {"s": "shoes", "hat": "hat", "bag": "bag"}


def _phrase(name: str, facts: Mapping[str, str], rng: Random, held_out: bool) -> str:
    if name in {"ing", "does"}:
        return _act(name, facts, rng, held_out)
    if name in {"place", "hair"}:
        return facts[name]
    part = _PARTS[name]
    if name in {"uc", "lc"}:
        return _color(part, facts, rng)
    phrase = _garment(part, facts, rng)
    return phrase if name in {"u", "l", "s"} else _article(phrase)


def _fill(template: str, facts: dict[str, str], rng: Random, *, held_out: bool) -> Caption:
    who, accepted = _who(facts, rng)
    chosen = {"who": who, "a_who": _article(who)}
    stated = {"night"} if "night" in template else set()
    for name in _names(template):
        if name in chosen:
            continue
        chosen[name] = _phrase(name, facts, rng, held_out)
        stated.add(_PARTS.get(name, "behavior" if name in {"ing", "does"} else name))
    text = template.format(**chosen)
    extra = {"person": accepted} if accepted and "who}" in template else {}
    for name, phrase in chosen.items():
        if _PARTS.get(name) in ("upper", "lower", "bag") and (kinds := KIND_FACTS.get(phrase.partition("> ")[2])):
            extra[f"{_PARTS[name]}_kind"] = kinds
    return _finish(text, facts, stated, extra)


def _finish(
    text: str,
    facts: Mapping[str, str],
    stated: set[str],
    extra: Mapping[str, frozenset[str]] | None = None,
) -> Caption:
    """Take the markers out of a text, remembering where they stood."""
    text = re.sub(r" ([,:])", r"\1", text)
    parts, slots, position, length = [], [], 0, 0
    for match in _MARK.finditer(text):
        before = text[position : match.start()]
        action, part, color = match.groups()
        field = part or "behavior"
        word = action or color
        answer = ANSWERS[facts["behavior"]] if action else facts[part]
        start = length + len(before)
        slots.append(
            Slot(start=start, end=start + len(word), kind="action" if action else "color", field=field, answer=answer)
        )
        parts += [before, word]
        length, position = start + len(word), match.end()
    stated_facts = {field: frozenset((facts[field],)) for field in stated}
    return Caption(text="".join([*parts, text[position:]]), facts=stated_facts | dict(extra or {}), slots=tuple(slots))

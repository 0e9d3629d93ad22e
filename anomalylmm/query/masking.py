"""Turns a query's sentence into a cloze, and into other sentences that mean the same; knows words only.

First step of the paper's masked cross-modal prompting: key verbs and color words of the query are masked.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from anomalylmm.errors import QueryError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.negation import Span, find_negated
from anomalylmm.records import Cloze, Query, Slot, SlotKind

BLANK = "[MASK]"
SOMEBODY = "a person"  # all that is left of "nobody is walking"
MAX_CHARACTERS = 1000
MAX_ANSWER_CHARACTERS = 4000  # of a judge that names masks
MAX_MASKS = 20
MAX_PROBLEMS = 5
_OBJECT = re.compile(r"\{[^{}]*\}")
MaskMaker = Literal["lexicon", "user", "judge"]
DEFAULT_KINDS: tuple[SlotKind, ...] = ("action", "color")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """One mask, named by its words; what is left empty comes from the lexicon."""

    word: str  # as it stands in the query
    kind: SlotKind
    means: str = ""  # canonical word asked for
    contrasts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """A query's cloze, who made its masks, and what was wrong on the way."""

    cloze: Cloze
    made_by: MaskMaker
    problems: tuple[str, ...] = ()


def mask_query(text: str, lexicon: Lexicon, kinds: Iterable[SlotKind] = DEFAULT_KINDS) -> Cloze:
    """Masks the words of some kinds except negated ones; a text without such words gives a cloze without slots.

    Raises:
        QueryError: The text is empty, has no word, is over 1,000 characters long, has over 20 words to mask, or holds
            control characters or a blank of its own.
    """
    check_text(text)
    negated = find_negated(text, lexicon)
    slots = tuple(slot for slot in lexicon.find_words(text, kinds) if not _touches(slot, negated))
    _check_number(text, slots)
    return Cloze(text=text, slots=slots, masked=_mask(text, slots))


def cloze_from_spans(text: str, spans: Sequence[Slot], lexicon: Lexicon) -> Cloze:
    """Builds a cloze from slots that a user has edited.

    A slot without a word asks for what stands in its span, in the lexicon's form; one without contrasts gets the
    lexicon's.

    Raises:
        QueryError: The text can't be used, a span lies outside it or holds no letter, two spans overlap, or there are
            over 20.
    """
    check_text(text)
    _check_number(text, spans)
    slots = tuple(_complete(text, slot, lexicon) for slot in sorted(spans, key=lambda slot: slot.start))
    for before, after in pairwise(slots):
        if after.start < before.stop:
            raise QueryError(
                f"masks {text[before.start : before.stop]!r} and {text[after.start : after.stop]!r} overlap; "
                "mask each word once"
            )
    return Cloze(text=text, slots=slots, masked=_mask(text, slots))


def mask_words(text: str, masks: Sequence[Mask], lexicon: Lexicon) -> Cloze:
    """Builds a cloze from masks that are named by their words; a word named twice is masked at two places.

    Raises:
        QueryError: The text can't be used, a mask is not in it, or two masks overlap.
    """
    check_text(text)
    slots: list[Slot] = []
    for mask in masks:
        start, stop = find_span(text, mask.word, [(slot.start, slot.stop) for slot in slots])
        slots.append(Slot(start=start, stop=stop, word=mask.means, kind=mask.kind, contrasts=mask.contrasts))
    return cloze_from_spans(text, slots, lexicon)


def find_span(text: str, phrase: str, taken: Sequence[tuple[int, int]] = ()) -> tuple[int, int]:
    """Finds where a phrase stands in a text as words of its own, whatever its case and spaces.

    The first place that overlaps no taken span counts; if there is none, the first place.

    Raises:
        QueryError: The text does not hold the phrase.
    """
    pattern = r"\s+".join(re.escape(part) for part in phrase.split())
    found = [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)] if pattern else []
    spans = [(start, stop) for start, stop in found if not _cuts_word(text, start) and not _cuts_word(text, stop)]
    if not spans:
        raise QueryError(
            f"the mask {phrase[:80]!r} is not in the query {text[:80]!r}; a mask must be words of the query"
        )
    free = (span for span in spans if all(span[1] <= start or span[0] >= stop for start, stop in taken))
    return next(free, spans[0])


def parse_masks(answer: str, text: str, lexicon: Lexicon) -> Masking:
    """Reads the masks that a judge names for a query; no answer raises an error.

    The answer should be a JSON list of objects with the keys word and kind. Text around the objects is ignored, and so
    is a last object that was cut off. Objects that are not JSON, whose word is not in the query or whose kind is
    unknown are left out and noted. If none is left, the lexicon masks instead.

    Raises:
        QueryError: The text can't be used.
    """
    check_text(text)
    problems: list[str] = []
    if len(answer) > MAX_ANSWER_CHARACTERS:
        problems.append(f"answer of {len(answer)} characters cut")
    masks = [_read_mask(part, text, problems) for part in _OBJECT.findall(answer[:MAX_ANSWER_CHARACTERS])]
    named = list({(mask.word.casefold(), mask.kind): mask for mask in masks if mask})[:MAX_MASKS]
    try:
        cloze = mask_words(text, [Mask(word=word, kind=kind) for word, kind in named], lexicon) if named else None
        cloze = cloze and _drop_negated(cloze, lexicon)
    except QueryError as error:
        problems.append(str(error))
        cloze = None
    if cloze is None:
        return mask_by_lexicon(text, lexicon, [*problems[:MAX_PROBLEMS], "the judge named no usable mask"])
    return Masking(cloze=cloze, made_by="judge", problems=tuple(problems[:MAX_PROBLEMS]))


def mask_by_lexicon(text: str, lexicon: Lexicon, problems: Sequence[str] = ()) -> Masking:
    """Masks by the lexicon, and keeps the problems that kept somebody else from doing it.

    Raises:
        QueryError: The text can't be used.
    """
    return Masking(cloze=mask_query(text, lexicon), made_by="lexicon", problems=tuple(problems))


def leave_out_negated(query: Query, lexicon: Lexicon) -> Query:
    """Gives the query without what it says must not be seen ("without a bag"), except for words that a user masked.

    If nothing is left, the text is "a person".
    """
    cloze = query.cloze
    negated = [span for span in find_negated(query.text, lexicon) if not any(_touches(s, [span]) for s in cloze.slots)]
    if not negated:
        return query
    text, slots = query.text, cloze.slots
    for span in reversed(negated):
        start, stop = _widen(text, span)
        text = text[:start] + text[stop:]
        moved = stop - start
        slots = tuple(
            replace(slot, start=slot.start - moved, stop=slot.stop - moved) if slot.start >= stop else slot
            for slot in slots
        )
    if not any(character.isalpha() for character in text):
        text = SOMEBODY
    return replace(query, text=text, cloze=Cloze(text=text, slots=slots, masked=_mask(text, slots)))


def check_text(text: str) -> None:
    """Checks that a text can be a query.

    Raises:
        QueryError: It is empty, has no word, is over 1,000 characters long, or holds control characters or a blank.
    """
    if not any(character.isalpha() for character in text):
        raise QueryError(f"the query {text[:80]!r} has no word; describe a person and what they do")
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the query has {len(text)} characters, but may have {MAX_CHARACTERS}; shorten it")
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


def _widen(text: str, span: Span) -> Span:
    """Adds the spaces and the comma to a span that make no sense without it."""
    before, after = text[: span[0]].rstrip(), text[span[1] :].lstrip()
    if after[:1] in {",", ";"} and before[-1:] in {"", ",", ";"}:
        after = after[1:].lstrip()
    start, stop = len(before), len(text) - len(after)
    return (start, stop - 1) if before and after[:1].isalnum() and text[stop - 1].isspace() else (start, stop)


def _touches(slot: Slot, spans: Iterable[Span]) -> bool:
    return any(slot.start < stop and start < slot.stop for start, stop in spans)


def _mask(text: str, slots: Sequence[Slot]) -> str:
    parts, position = [], 0
    for slot in slots:
        parts += [text[position : slot.start], BLANK]
        position = slot.stop
    return "".join([*parts, text[position:]])


def _check_number(text: str, slots: Sequence[Slot]) -> None:
    """Checks that a query does not ask for more words than a judge can be asked about: each costs many answers."""
    if len(slots) > MAX_MASKS:
        raise QueryError(
            f"the query {text[:80]!r} has {len(slots)} words to mask, but may have {MAX_MASKS}; shorten "
            "it, or name the words that matter as its masks"
        )


def _complete(text: str, slot: Slot, lexicon: Lexicon) -> Slot:
    inside = 0 <= slot.start < slot.stop <= len(text)
    span = text[slot.start : slot.stop] if inside else ""
    if not any(character.isalpha() for character in span):
        raise QueryError(f"a mask spans characters {slot.start} to {slot.stop}, which are not a word of {text!r}")
    word = lexicon.canonical(slot.word or span, slot.kind)
    return replace(slot, word=word, contrasts=slot.contrasts or lexicon.contrasts(word, slot.kind))


def _drop_negated(cloze: Cloze, lexicon: Lexicon) -> Cloze:
    negated = find_negated(cloze.text, lexicon)
    slots = tuple(slot for slot in cloze.slots if not _touches(slot, negated))
    return replace(cloze, slots=slots, masked=_mask(cloze.text, slots))


def _read_mask(part: str, text: str, problems: list[str]) -> Mask | None:
    try:
        row = json.loads(part)
        word, kind = row.get("word"), row.get("kind")
        if not isinstance(word, str) or kind not in get_args(SlotKind):
            problems.append(f"no mask with word and kind: {part[:80]!r}")
            return None
        find_span(text, word)
    except (json.JSONDecodeError, RecursionError):
        problems.append(f"no JSON: {part[:80]!r}")
    except QueryError as error:
        problems.append(str(error))
    else:
        return Mask(word=word, kind=kind)
    return None


def _cuts_word(text: str, position: int) -> bool:
    """Returns whether a position lies inside a word; in scripts without letter case words can't be told apart."""
    return 0 < position < len(text) and all(
        character.isdigit() or character.lower() != character.upper() for character in text[position - 1 : position + 1]
    )

"""What the judge is asked in training and evaluation, with the right answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.pocket.tokens import CLOZE_PROMPT, MATCH_PROMPT, UNKNOWN
from benchmarks.rendered.captions import ANSWERS, BEHAVIORS, COLORS, Caption, agrees, facts_of, write_caption

Row = Mapping[str, Any]
_CONFUSED = (
    ("standing", "walking", "waving", "phoning", "carrying"),
    ("walking", "running", "carrying", "cycling"),
    ("sitting", "crouching", "bending", "crawling"),
    ("lying", "falling", "collapsing", "crawling", "dragged", "hit_by_vehicle"),
    ("falling", "falling_off_bicycle", "cycling", "hit_by_vehicle"),
    ("collapsing", "crouching", "sitting", "bending"),
    ("fighting", "pushing", "punching", "kicking", "hit_by_person"),
    ("jumping", "running", "climbing", "falling", "kicking"),
    ("bending", "breaking_into_car", "pushing", "falling"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A user text for the chat template and the answer in the judge's own words."""

    text: str
    answer: str
    kind: str
    claims: tuple[tuple[int, bool], ...] = ()  # where in the text a claimed word ends, and whether the picture agrees


def seen_answer(row: Row, field: str, accepted: str | None = None) -> str:
    """The word a slot's field takes in this picture, UNKNOWN where the picture has no such thing."""
    if field == "behavior":
        return ANSWERS[row["behavior"]]
    part = row.get(field)
    return str(part["color"]) if part and part.get("color") in COLORS else accepted or UNKNOWN


def ask_cloze(row: Row, asked: Row, rng: Random, *, held_out: bool = False, style: str | None = None) -> Question:
    """Ask about a picture with the cloze of a query that was written for `asked` (often another person)."""
    caption = _caption_with_slots(asked, rng, held_out=held_out, style=style)
    dim = bool(row.get("night")) and rng.random() < 0.25 and not held_out
    answers = [UNKNOWN if dim and slot.kind == "color" else seen_answer(row, slot.field) for slot in caption.slots]
    return Question(text=CLOZE_PROMPT.format(cloze=caption.cloze()), answer=", ".join(answers), kind="cloze")


def ask_set(row: Row, other: Row, rng: Random, *, style: str) -> list[Question]:
    """Two clozes, and one caption as it is and with its behavior and a color changed, on one picture.

    The wrong captions differ from the true one in the changed fact alone, since the same chance writes them.
    """
    if row.get("real"):
        other = row  # what is not known of a real person must not be asked
    questions = [ask_cloze(row, row if rng.random() < 0.4 else other, rng, style=style) for _ in range(2)]
    seed, colors = rng.randrange(1 << 30), [part for part in ("upper", "lower") if row.get(part)]
    kinds = ["true", "behavior", "other" if rng.random() < 0.3 or not colors else rng.choice(colors)]
    if rng.random() < 0.5:
        kinds.append("true")  # yes is as frequent as no
    for number, kind in enumerate(kinds):
        same = Random(seed if number < 3 else seed + 1)
        questions.append(ask_match(row, same, kind=kind, other=other, style=style))
    return questions


def ask_match(
    row: Row, rng: Random, *, kind: str, held_out: bool = False, other: Row | None = None, style: str | None = None
) -> Question:
    """Ask whether a caption holds; `kind` is "true", "behavior", "upper", "lower" or "other"."""
    kind = "behavior" if kind in {"upper", "lower"} and not row.get(kind) else kind
    chance = Random(rng.randrange(1 << 30))  # apart from the caption's, which is the same for every kind
    claimed = {"true": row, "other": other or row}.get(kind) or with_wrong(row, kind, chance)
    for _ in range(40):
        caption = write_caption(claimed, rng, held_out=held_out, style=style)
        if kind in {"true", "other"} or kind in caption.facts:
            break
    answer = "yes" if agrees(caption, facts_of(row)) else "no"
    before = MATCH_PROMPT.index("{text}")
    claims = tuple((before + slot.end, slot.answer == seen_answer(row, slot.field)) for slot in caption.slots)
    return Question(text=MATCH_PROMPT.format(text=caption.text.rstrip(".")), answer=answer, kind=kind, claims=claims)


def with_wrong(row: Row, field: str, rng: Random) -> dict[str, Any]:
    """The same person with one fact changed; behaviors are mostly changed to a similar one."""
    if field != "behavior":
        color = rng.choice([color for color in COLORS if color != row[field]["color"]])
        return {**row, field: {**row[field], "color": color}}
    similar = [name for group in _CONFUSED if row["behavior"] in group for name in group]
    pool = similar if similar and rng.random() < 0.5 else BEHAVIORS
    return {**row, "behavior": rng.choice([name for name in pool if name != row["behavior"]])}


def _caption_with_slots(row: Row, rng: Random, *, held_out: bool, style: str | None) -> Caption:
    while True:
        caption = write_caption(row, rng, held_out=held_out, style=style)
        if caption.slots:
            return caption

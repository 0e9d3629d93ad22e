"""The caption grammar says true things, in many ways, and keeps its held-out phrasings apart."""

import re
from random import Random
from typing import Any

import pytest

from benchmarks.rendered.captions import (
    ANSWERS,
    BEHAVIORS,
    COLORS,
    HELD_OUT_TEMPLATES,
    TEMPLATES,
    agrees,
    facts_of,
    iter_words,
    write_caption,
    write_match_caption,
)


def _row(rng: Random) -> dict[str, Any]:
    part = lambda kind: {"kind": kind, "color": rng.choice(COLORS)}  # noqa: E731
    return {
        "behavior": rng.choice(BEHAVIORS),
        "person": rng.choice(("man", "woman", "boy", "girl", "old man", "old woman")),
        "upper": part("jacket"),
        "lower": part("skirt"),
        "shoes": part("boots"),
        "hat": rng.choice((None, part("cap"))),
        "bag": rng.choice((None, part("backpack"))),
        "hair": "long",
        "place": "street",
        "night": rng.random() < 0.2,
    }


def test_there_are_more_than_a_hundred_templates() -> None:
    assert sum(len(templates) for templates in TEMPLATES.values()) > 100


@pytest.mark.parametrize("held_out", [False, True])
def test_a_caption_agrees_with_its_own_picture(held_out: bool) -> None:
    rng = Random(1)
    for _ in range(500):
        row = _row(rng)
        assert agrees(write_caption(row, rng, held_out=held_out), facts_of(row))


def test_a_caption_that_states_the_behavior_disagrees_with_another_behavior() -> None:
    rng = Random(2)
    for _ in range(200):
        row = _row(rng)
        caption = write_match_caption(row, rng)
        other = {**row, "behavior": next(name for name in BEHAVIORS if name != row["behavior"])}
        assert not agrees(caption, facts_of(other))


def test_slots_stand_where_their_words_stand_and_answer_canonically() -> None:
    rng = Random(3)
    for _ in range(500):
        row = _row(rng)
        caption = write_caption(row, rng)
        assert not set("<>*{}") & set(caption.text)
        for slot in caption.slots:
            assert re.fullmatch(r"[a-z-]+", caption.text[slot.start : slot.end])
            assert slot.answer == (ANSWERS[row["behavior"]] if slot.kind == "action" else row[slot.field]["color"])
        assert caption.cloze().count("[MASK]") == len(caption.slots)


def test_the_same_seed_writes_the_same_captions() -> None:
    def write(seed: int) -> list[str]:
        rng = Random(seed)
        return [write_caption(_row(rng), rng).text for _ in range(50)]

    assert write(4) == write(4) != write(5)


def test_articles_fit_the_color_that_follows() -> None:
    rng = Random(6)
    text = " ".join(write_caption(_row(rng), rng).text for _ in range(500))
    assert not re.search(r"\ba (orange|elderly|old|adult|individual)\b|\ban (red|blue|black|white|person|man)\b", text)


def test_held_out_templates_are_not_training_templates() -> None:
    for style, templates in HELD_OUT_TEMPLATES.items():
        assert not set(templates) & set(TEMPLATES[style])


def test_held_out_phrasings_use_no_word_that_training_never_shows() -> None:
    rng = Random(7)
    known = {word for _ in range(6000) for word in re.findall(r"[a-z]+", write_caption(_row(rng), rng).text.lower())}
    texts = [write_caption(_row(rng), rng, held_out=True).text for _ in range(1500)]
    held_out = set(re.findall(r"[a-z]+", " ".join(texts).lower()))
    assert held_out <= known, sorted(held_out - known)
    assert known <= {*iter_words(), "long", "street", "skirt", "jacket"}, sorted(known - {*iter_words()})

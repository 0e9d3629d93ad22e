"""Behavior that has an order: who falls is upright before and lies after. Reads it from single frames; asks nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import Cloze
from anomalylmm.rerank.score import softmax


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What comes before and after a behavior, as canonical words."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Where the words of an order stand among a layout's answers, and what they are."""

    group: tuple[int, ...]  # positions in the answers; the first is that of the word asked for
    words: tuple[str, ...]  # of the group
    order: Order


def find_orders(cloze: Cloze, lexicon: Lexicon) -> dict[int, Order]:
    """Finds the orders of a cloze's slots, by the slot's number."""
    found = {}
    for index, slot in enumerate(cloze.slots):
        before, after = lexicon.order(slot.word, slot.kind)
        if before and after:
            found[index] = Order(before=before, after=after)
    return found


def read_phases(log_scores: NDArray[np.float64], phases: Phases) -> NDArray[np.float64]:
    """Turns log-likelihoods of answers (T, A) into each frame's distribution over the phases' words; (T, W)."""
    return softmax(log_scores[:, list(phases.group)])


def score_order(shares: NDArray[np.float64], phases: Phases) -> float:
    """Scores how clearly frames (T, W) show first what comes before and then what comes after; 0..1.

    It is the largest geometric mean of the two over all pairs of an earlier and a later frame. One frame scores 0.
    """
    before, after = (
        shares[:, [word in words for word in phases.words]].sum(axis=1)
        for words in (phases.order.before, phases.order.after)
    )
    if len(shares) < 2:
        return 0.0
    return float(np.sqrt(np.maximum.accumulate(before)[:-1] * after[1:]).max())


def name_frames(shares: NDArray[np.float64], words: tuple[str, ...]) -> tuple[str, ...]:
    """Names the likeliest word of each frame (T, W) and its probability: "standing 0.81"."""
    best = shares.argmax(axis=1)
    return tuple(f"{words[place]} {row[place]:.2f}" for place, row in zip(best.tolist(), shares, strict=True))


Orders = Mapping[int, Order]  # by slot

"""Reads what a query says must not be seen ("without a bag"): each such thing is asked about alone; asks nothing.

A judge hardly hears a "not" in a sentence, but can say whether it sees a bag. So the opposite of its answer counts.
"""

import math
from collections.abc import Sequence

import numpy as np

from anomalylmm.posture.classes import READINGS
from anomalylmm.posture.words import read_word
from anomalylmm.records import Floats, Slot, SlotVerdict
from anomalylmm.rerank.score import join_experts, sigmoid


def read_absent(
    slot: Slot, logits: Sequence[float], best: int | None, posture_scores: Floats | None, weight: float
) -> SlotVerdict:
    """Reads the yes/no logits of L looks on one thing that must not be seen.

    A behavior must not be seen in the moment that shows what is asked for: somebody who runs may have walked before.
    Colors are read from all looks; of anything else, one look that shows it is enough.

    Args:
        slot: What must not be seen.
        logits: One per look.
        best: The look that shows the behaviors asked for; None if the query asks for none.
        posture_scores: (N, P) of the crops whose joints count for that moment; None if no poses are estimated.
        weight: Of the joints compared with the judge.
    """
    seen = sigmoid(_choose(slot, logits, best))
    shown = read_word(slot.word, slot.kind, posture_scores) if weight else None
    if shown is not None:
        seen = join_experts(seen, shown, weight * READINGS[slot.word].weight)
    word = name_absent(slot)
    return SlotVerdict(
        word=word,
        kind=slot.kind,
        answer=word if seen < 0.5 else slot.word,
        match=1 - seen,
        probability=1 - seen,
        prior=0.5,
        saliency=1.0,  # it is asked about alone, so the picture decides
        posture=None if shown is None else 1 - shown,
        absent=True,
    )


def scores_of_moment(asked: Sequence[Slot], posture_scores: Floats | None) -> Floats | None:
    """Chooses the crop (1, P) whose joints show the behaviors asked for most; all (N, P) if joints can't show them."""
    if posture_scores is None or len(posture_scores) == 0:
        return posture_scores
    rows = [posture_scores[index : index + 1] for index in range(len(posture_scores))]
    shown = [[read_word(slot.word, slot.kind, row) for slot in asked] for row in rows]
    known = [sum(math.log(value) for value in values if value is not None) for values in shown]
    if all(value is None for value in shown[0]):
        return posture_scores
    return rows[int(np.argmax(known))]


def name_absent(slot: Slot) -> str:
    """Names a thing that must not be seen: "not running", "no bag"."""
    return f"not {slot.word}" if slot.kind == "action" else f"no {slot.word}"


def _choose(slot: Slot, logits: Sequence[float], best: int | None) -> float:
    if slot.kind == "action" and best is not None:
        return logits[best]
    return float(np.mean(logits)) if slot.kind == "color" else max(logits)

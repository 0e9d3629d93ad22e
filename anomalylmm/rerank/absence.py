"""Reads what a query says must not be seen ("without a bag"): each such thing is asked about alone; asks nothing.

A judge hardly hears a "not" in a sentence, but can say whether it sees a bag. So the opposite of its answer counts.
"""

import math
from collections.abc import Sequence

from anomalylmm.posture.classes import READINGS
from anomalylmm.posture.words import read_word
from anomalylmm.records import Candidate, Slot, SlotVerdict
from anomalylmm.rerank.score import join_experts


def read_absent(slot: Slot, logits: Sequence[float], candidate: Candidate, posture_weight: float) -> SlotVerdict:
    """Reads the yes/no logits of L looks on one thing that must not be seen.

    One look that shows it is enough. The joints have their say on a behavior, as on one that is asked for.
    """
    seen = max(map(_sigmoid, logits))
    shown = read_word(slot.word, slot.kind, candidate.posture_scores) if posture_weight else None
    if shown is not None:
        seen = join_experts(seen, shown, posture_weight * READINGS[slot.word].weight)
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


def name_absent(slot: Slot) -> str:
    """Names a thing that must not be seen: "not running", "no bag"."""
    return f"not {slot.word}" if slot.kind == "action" else f"no {slot.word}"


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))

"""Posture in the coarse search: numbers appended to the encoder's vector, so that one inner product serves both.

A crop's vector is the encoder's (D, unit length) followed by its posture (P). A query's is that of its text followed
by a weight on the postures that its behaviors ask for. The weight is in standard deviations of what the text alone
scores in this gallery, so a posture counts the same in every gallery (pose-aware coarse search, as in SSDC, arXiv
2604.23282; the fusion is ours).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalylmm.posture.classes import CHANNELS, READINGS
from anomalylmm.records import Body, Cloze, Floats

USUAL_LOGIT = -1.4  # a posture as probable as this, 0.2, counts neither for nor against
LOGIT_SCALE = 4.0
BESIDE_OTHERS = 0.1  # share of the weight if a query names colors too: a misread posture must not outvote the clothes
_TINY = 1e-4


def posture_part(body: Body | None) -> Floats:
    """Returns a crop's part of the vector, (P,) in -1..1; zeros if its joints are not known."""
    return np.zeros(len(CHANNELS), np.float32) if body is None else score_part(body.posture_scores)


def score_part(posture_scores: Floats) -> Floats:
    """Puts probabilities of postures (..., P) on the scale of the coarse search, -1..1."""
    scores = np.clip(posture_scores.astype(np.float64), _TINY, 1 - _TINY)
    logits = np.log(scores / (1 - scores))
    return np.clip((logits - USUAL_LOGIT) / LOGIT_SCALE, -1, 1).astype(np.float32)


def asked_part(cloze: Cloze) -> Floats:
    """Returns a query's part, (P,): how much each posture is asked for; zeros if joints can't show it."""
    asked = np.zeros(len(CHANNELS), np.float32)
    readings = [READINGS[slot.word] for slot in cloze.slots if slot.kind == "action" and slot.word in READINGS]
    share = 1.0 if all(slot.kind == "action" for slot in cloze.slots) else BESIDE_OTHERS
    for reading in readings:
        asked[CHANNELS.index(reading.channels[0])] += share * reading.weight / len(readings)
    return asked


def join_queries(
    vectors: Floats, clozes: Sequence[Cloze], spreads: NDArray[np.float64], weight: float, dimension: int
) -> Floats:
    """Appends the postures that Q queries ask for to their vectors (Q, D); shape (Q, dimension).

    Args:
        vectors: The encoder's.
        clozes: One per query.
        spreads: (Q,) standard deviations of what each text scores in this gallery.
        weight: Standard deviations that a sure posture is worth; 0 leaves postures out.
        dimension: Of the gallery's vectors; D if it was made without poses.
    """
    if dimension == vectors.shape[1]:
        return vectors
    asked = np.stack([asked_part(cloze) for cloze in clozes]) * (weight * spreads[:, None])
    return np.concatenate([vectors, asked], axis=1).astype(np.float32)


def pad(vectors: Floats, dimension: int) -> Floats:
    """Fills vectors (Q, D) with zeros to the gallery's dimension: postures then count for nothing."""
    return np.pad(vectors, ((0, 0), (0, dimension - vectors.shape[1])))

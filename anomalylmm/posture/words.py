"""Turns the posture scores of a tracklet's crops into the probability of a word."""

import math

from anomalylmm.posture.classes import CHANNELS, READINGS
from anomalylmm.records import Floats, SlotKind

UNSEEN = 0.35  # for joints too unsure to tell; with it, not even a sure judge makes a hit at the usual threshold
_TINY = 1e-4


def read_word(word: str, kind: SlotKind, posture_scores: Floats | None) -> float | None:
    """Returns how clearly joints show what a word says, 0..1; None if they can't show it.

    The crop that shows it most counts. At a score of ``Reading.even`` the result is 0.5.

    Args:
        word: Canonical word of the lexicon.
        kind: Of its slot; only behaviors are read.
        posture_scores: (N, P) of the tracklet's crops whose joints are sure; None if no poses are estimated.
    """
    reading = READINGS.get(word) if kind == "action" else None
    if reading is None or posture_scores is None:
        return None
    if not len(posture_scores):
        return UNSEEN
    columns = [CHANNELS.index(name) for name in reading.channels]
    shown = float(posture_scores[:, columns].sum(axis=1).max())
    return 1 / (1 + math.exp(_logit(reading.even) - _logit(shown)))


def _logit(share: float) -> float:
    limited = min(max(share, _TINY), 1 - _TINY)
    return math.log(limited / (1 - limited))

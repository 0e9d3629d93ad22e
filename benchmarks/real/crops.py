"""Scores what a model says of crops of persons: posture and colors. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.footage import POSTURES

CALM = ("standing", "walking", "sitting")
ALARMS = ("falling", "lying", "fighting")
DOWN = ("falling", "lying")
FALSE_SHARE = 0.05  # of crops that show nobody down, at which recall is read
DRAWS, SEED = 1000, 7


def score(probabilities: NDArray[np.floating], labels: Sequence[str]) -> dict[str, object]:
    """Scores distributions over the postures.

    Args:
        probabilities: (N, 9), columns in the order of ``POSTURES``.
        labels: N postures seen by eye.
    """
    truth = np.array([POSTURES.index(label) for label in labels])
    guessed = np.asarray(probabilities).argmax(axis=1)
    low, high = _interval(truth, guessed)
    return {
        "crops": len(labels),
        "balanced_accuracy": round(balanced_accuracy(truth, guessed), 3),
        "interval90": [round(low, 3), round(high, 3)],
        "false_alarm_share": _false_alarms(truth, guessed),
        "recall_down_at_5": recall_at(np.asarray(probabilities)[:, _places(DOWN)].sum(axis=1), truth),
        "accuracy_by_posture": _by_posture(truth, guessed),
        "confusion": confusion(truth, guessed),
    }


def _by_posture(truth: NDArray[np.int64], guessed: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    own = {POSTURES[index]: guessed[truth == index] == index for index in np.unique(truth)}
    return {name: {"crops": len(right), "right": int(right.sum())} for name, right in own.items()}


def _places(names: Sequence[str]) -> list[int]:
    return [POSTURES.index(name) for name in names]


def balanced_accuracy(truth: NDArray[np.int64], guessed: NDArray[np.int64]) -> float:
    """Mean over the postures that are there of the share guessed right."""
    return float(np.mean([(guessed[truth == index] == index).mean() for index in np.unique(truth)]))


def _interval(truth: NDArray[np.int64], guessed: NDArray[np.int64]) -> tuple[float, float]:
    """The middle 90 % of the balanced accuracy over crops drawn again within each posture."""
    draw = np.random.default_rng(SEED)
    groups = [np.flatnonzero(truth == index) for index in np.unique(truth)]
    values = []
    for _ in range(DRAWS):
        drawn = np.concatenate([draw.choice(group, len(group)) for group in groups])
        values.append(balanced_accuracy(truth[drawn], guessed[drawn]))
    return float(np.quantile(values, 0.05)), float(np.quantile(values, 0.95))


def _false_alarms(truth: NDArray[np.int64], guessed: NDArray[np.int64]) -> float:
    """Share of the crops of calm persons that are taken for lying, falling or fighting."""
    calm = np.isin(truth, _places(CALM))
    return round(float(np.isin(guessed[calm], _places(ALARMS)).mean()), 3) if calm.any() else float("nan")


def recall_at(scores: NDArray[np.floating], truth: NDArray[np.int64], share: float = FALSE_SHARE) -> float:
    """Share of those down whose score is over that of all but ``share`` of the crops that show no alarm."""
    down, others = np.isin(truth, _places(DOWN)), ~np.isin(truth, _places(ALARMS))
    if not down.any() or not others.any():
        return float("nan")
    rest = np.sort(scores[others])[::-1]
    threshold = rest[min(int(share * len(rest)), len(rest) - 1)]
    return round(float((scores[down] > threshold).mean()), 3)


def confusion(truth: NDArray[np.int64], guessed: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    """Counts by label what was guessed; empty cells are left out."""
    table: dict[str, dict[str, int]] = {}
    for label, guess in zip(truth.tolist(), guessed.tolist(), strict=True):
        row = table.setdefault(POSTURES[label], {})
        row[POSTURES[guess]] = row.get(POSTURES[guess], 0) + 1
    return table


def score_colors(guessed: Sequence[str], accepted: Sequence[frozenset[str]]) -> dict[str, float]:
    """Scores color words leniently: any of the accepted ones is right; persons without a label are left out."""
    right = [word in words for word, words in zip(guessed, accepted, strict=True) if words]
    return {"persons": len(right), "right": round(sum(right) / len(right), 3) if right else float("nan")}


def read_accepted(row: Mapping[str, str], part: str) -> frozenset[str]:
    """Reads the accepted colors of a garment, ``black;blue``."""
    return frozenset(word for word in row[part].split(";") if word)

"""Scores person detections against labeled boxes: recall, AP50 and false boxes a picture. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MIN_OVERLAP = 0.5
SIZES = ((0.2, "small"), (0.5, "middle"), (float("inf"), "large"))  # longer side as a share of the picture's height


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPicture:
    """What was labeled and what was detected in one picture; boxes are xyxy in pixels."""

    truth: NDArray[np.floating] = field(repr=False)  # (N, 4)
    postures: tuple[str, ...]  # N
    boxes: NDArray[np.floating] = field(repr=False)  # (M, 4)
    scores: NDArray[np.floating] = field(repr=False)  # (M,)
    height_px: int


def overlaps(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of boxes (N, 4) and (M, 4); shape (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9), np.float64)


def match(picture: ScoredPicture) -> NDArray[np.int64]:
    """Gives each detection (M,) the labeled person that it finds, or -1; the surest detection takes a person first."""
    found = np.full(len(picture.scores), -1, np.int64)
    if not len(picture.truth):
        return found
    table = overlaps(picture.boxes, picture.truth)
    for index in np.argsort(-picture.scores, kind="stable"):
        best = int(table[index].argmax())
        if table[index, best] >= MIN_OVERLAP:
            found[index] = best
            table[:, best] = 0.0
    return found


def average_precision(scores: NDArray[np.floating], right: NDArray[np.bool_], num_truth: int) -> float:
    """Area under the precision envelope over all points (as PASCAL VOC from 2010 on); NaN without persons."""
    if num_truth == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(envelope * right[order]) / num_truth)


def size_of(box: NDArray[np.floating], height_px: int) -> str:
    """Names the size class of a box by its longer side."""
    share = max(box[2] - box[0], box[3] - box[1]) / height_px
    return next(name for most, name in SIZES if share < most)


def score(pictures: Sequence[ScoredPicture], threshold: float) -> dict[str, object]:
    """Scores the detections: AP50 over all of them, the rest at the threshold."""
    matches = [match(picture) for picture in pictures]
    scores = np.concatenate([picture.scores for picture in pictures])
    right = np.concatenate(matches) >= 0
    persons = [
        (posture, size_of(box, picture.height_px), index in set(own[picture.scores >= threshold].tolist()))
        for picture, own in zip(pictures, matches, strict=True)
        for index, (posture, box) in enumerate(zip(picture.postures, picture.truth, strict=True))
    ]
    sure = scores >= threshold
    return {
        "pictures": len(pictures),
        "persons": len(persons),
        "threshold": threshold,
        "recall": _share([found for _, _, found in persons]),
        "ap50": round(average_precision(scores, right, len(persons)), 3),
        "false_a_picture": round(float((sure & ~right).sum()) / max(1, len(pictures)), 2),
        "recall_by_size": _group([(size, found) for _, size, found in persons]),
        "recall_by_posture": _group([(posture, found) for posture, _, found in persons]),
    }


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 3) if found else float("nan")


def _group(persons: Sequence[tuple[str, bool]]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[bool]] = {}
    for name, found in persons:
        groups.setdefault(name, []).append(found)
    return {name: {"persons": len(found), "recall": _share(found)} for name, found in sorted(groups.items())}

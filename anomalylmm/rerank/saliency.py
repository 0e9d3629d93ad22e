"""Behavioral saliency: how much the picture, not the language, decides a slot, and where in it; knows no model.

The paper has the LMM complete the cloze from visual evidence alone; here that evidence is measured.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError
from anomalylmm.records import Box, Floats, Image, Slot, SlotKind, SlotVerdict
from anomalylmm.rerank.prompts import AnswerLayout
from anomalylmm.rerank.score import softmax

# Weight of a kind if the picture decides it, and the share of it that stays if the picture says nothing.
KIND_WEIGHTS: dict[SlotKind, float] = {
    "action": 1.0,
    "color": 0.7,
    "object": 0.5,
    "garment": 0.35,
    "person": 0.3,
    "place": 0.3,
}
FLOOR = 0.5
PEAK_SHARE = 0.6  # of the map's peak, from which a patch belongs to the peak's region
_FLAT = 1e-6


def slot_posteriors(log_scores: NDArray[np.float64], layout: AnswerLayout) -> tuple[NDArray[np.float64], ...]:
    """Turns log-likelihoods of whole answers (N, A) into each slot's distribution over its words: S arrays (N, W).

    The other slots hold the words asked for, so the answers of a group differ in one word and a softmax over them is
    p(word | picture, cloze, other words).

    Raises:
        ShapeError: There is not one score for each answer of the layout.
    """
    expected = len(layout.answers)
    if log_scores.ndim != 2 or log_scores.shape[1] != expected:
        raise ShapeError.of("log_scores", f"(N, {expected})", log_scores.shape)
    return tuple(softmax(log_scores[:, list(group)]) for group in layout.groups)


def slot_saliency(posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> float:
    """Measures how much the picture changes a slot's distribution (W,) against the blind prior (W,); 0..1.

    It is ``1 - exp(-KL(posterior || prior))``: 0 where the picture says nothing new, 0.63 at one nat, 0.9 at 2.3.
    """
    tiny = 1e-12
    divergence = float(np.sum(posterior * (np.log(posterior + tiny) - np.log(prior + tiny))))
    return float(1.0 - np.exp(-max(0.0, divergence)))


def slot_weights(slots: Sequence[Slot | SlotVerdict], saliencies: Sequence[float] | None) -> NDArray[np.float64]:
    """Weighs S slots by kind and saliency, summing to 1; without saliencies all weigh the same (the paper's mean)."""
    if saliencies is None:
        return np.full(len(slots), 1.0 / max(1, len(slots)))
    weights = [
        KIND_WEIGHTS[slot.kind] * (FLOOR + (1 - FLOOR) * saliency)
        for slot, saliency in zip(slots, saliencies, strict=True)
    ]
    return np.asarray(weights, dtype=np.float64) / max(sum(weights), 1e-12)


def focus_box(patch_map: Floats, image_width: int, image_height: int, share: float = 0.5) -> Box:
    """Finds the region of an image around the peak of its patch map (rows, columns).

    It holds the patches connected to the peak that reach 0.6 of it, grown to at least ``share`` of the image's sides
    and kept inside. A flat map gives the whole image.

    Raises:
        ShapeError: The map is not (rows, columns) or has no patch.
    """
    if patch_map.ndim != 2 or patch_map.size == 0:
        raise ShapeError.of("patch_map", "(rows, columns)", patch_map.shape)
    values = np.nan_to_num(np.asarray(patch_map, dtype=np.float32), posinf=0.0, neginf=0.0)
    values = values - values.min()
    if float(values.max()) < _FLAT:
        return 0.0, 0.0, float(image_width), float(image_height)
    peak = np.unravel_index(int(np.argmax(values)), values.shape)
    _, labels = cv2.connectedComponents((values >= PEAK_SHARE * values.max()).astype(np.uint8), connectivity=4)
    rows, columns = np.nonzero(labels == labels[peak])
    left, right = _grow(columns.min(), columns.max() + 1, values.shape[1], image_width, share)
    top, bottom = _grow(rows.min(), rows.max() + 1, values.shape[0], image_height, share)
    return left, top, right, bottom


def overlay(image: Image, patch_map: Floats) -> Image:
    """Paints a patch map (rows, columns) over an image (H, W, 3); RGB."""
    height, width = image.shape[:2]
    values = np.nan_to_num(np.asarray(patch_map, dtype=np.float32), posinf=0.0, neginf=0.0)
    span = float(values.max() - values.min())
    scaled = (values - values.min()) / span if span > _FLAT else np.zeros_like(values)
    smooth = np.clip(cv2.resize(scaled, (width, height), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    heat = cv2.cvtColor(cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    strength = (0.15 + 0.4 * smooth)[:, :, None]  # the person stays visible where nothing happens
    return np.ascontiguousarray((image * (1 - strength) + heat * strength).astype(np.uint8))


def _grow(first: int, last: int, cells: int, pixels: int, share: float) -> tuple[float, float]:
    start, stop = first * pixels / cells, last * pixels / cells
    size = min(float(pixels), max(stop - start, share * pixels))
    left = min(max(0.0, (start + stop - size) / 2), pixels - size)
    return float(left), float(left + size)

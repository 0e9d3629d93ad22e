"""Scales maps of where words apply in pictures."""

from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.records import Floats


def stack_maps(maps: Sequence[Floats]) -> Floats:
    """Brings N maps (rows, columns) to the size of the largest and scales each to 0..1; shape (N, rows, columns)."""
    if not maps:
        return np.zeros((0, 1, 1), np.float32)
    rows, columns = np.max([one.shape for one in maps], axis=0).tolist()
    return scale_each(np.stack([cv2.resize(one, (columns, rows)) for one in maps]))


def scale_each(maps: Floats) -> Floats:
    """Scales each map to 0..1; a flat one is all zeros."""
    least = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - least
    scaled: Floats = np.where(span > 0, (maps - least) / np.where(span > 0, span, 1), 0).astype(np.float32)
    return scaled

"""When a scene is still: small pictures against a slow background, sizes of packets against the usual ones. Pure."""

import math
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.records import Box, Floats


class Background:
    """What a fixed camera shows when nothing happens, following slowly."""

    def __init__(self, *, threshold: float = 12.0, follow_seconds: float = 20.0, parts: int = 1) -> None:
        """Begins with nothing.

        Args:
            threshold: Gray levels from which a pixel differs.
            follow_seconds: Time in which it takes on most of a lasting change; 0 compares with the picture before.
            parts: The picture is divided into N x N parts, of which the one with the largest share counts.
        """
        self._threshold, self._follow_seconds, self._parts = threshold, follow_seconds, parts
        self._mean: Floats | None = None
        self._last_seconds = -math.inf
        self.changed_box: Box | None = None  # around what differs, in shares of the sides; None: all of it may

    def forget(self) -> None:
        """Starts over with the next picture."""
        self._mean = None

    def changed_share(self, small: Floats, pts_seconds: float) -> float:
        """Measures the share of pixels (0..1) of a small picture (H, W, 3) that differ, and follows it.

        The median difference is taken out, so that automatic exposure and lamps do not count.
        """
        if self._mean is None or self._mean.shape != small.shape:
            self._mean, self._last_seconds, self.changed_box = small, pts_seconds, None
            return 1.0
        difference = small - self._mean
        difference -= np.median(difference, axis=(0, 1))
        passed = max(0.0, pts_seconds - self._last_seconds)
        follow = 1.0 - math.exp(-passed / self._follow_seconds) if self._follow_seconds else 1.0
        self._mean = self._mean + np.float32(follow) * (small - self._mean)
        self._last_seconds = pts_seconds
        differs = (np.abs(difference).max(axis=2) > self._threshold).astype(np.float32)
        self.changed_box = _box_around(differs)
        shape = (min(self._parts, differs.shape[1]), min(self._parts, differs.shape[0]))
        return float(cv2.resize(differs, shape, interpolation=cv2.INTER_AREA).max())


def _box_around(mask: Floats) -> Box | None:
    """Returns the box in shares of the sides (x0, y0, x1, y1) around what is not 0; None if there is nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    x0, x1 = float(columns[0] / width), float((columns[-1] + 1) / width)
    return x0, float(rows[0] / height), x1, float((rows[-1] + 1) / height)


class UsualSizes:
    """How large the packets of a still scene are: what moves between two key frames costs its encoder bytes."""

    def __init__(self, *, factor: float = 1.5, share_of_key: float = 0.001, spans: int = 64, least: int = 4) -> None:
        """Remembers the settings.

        Args:
            factor: How much larger than the quiet ones of late the packets of a still span may be.
            share_of_key: And by how much of a key frame's size, since very small packets vary much.
            spans: How many spans are remembered.
            least: Spans that must be known before any is called usual.
        """
        self._factor, self._share_of_key, self._least = factor, share_of_key, least
        self._peaks: deque[float] = deque(maxlen=spans)

    def is_usual(self, key_size: int, sizes: Sequence[int], packets_at_once: int) -> bool:
        """Tells whether nothing stands out among the packets of one span, and remembers them.

        Args:
            key_size: Bytes of the key frame before them.
            sizes: Bytes of each packet.
            packets_at_once: So many are averaged: a person's passing takes longer than a frame, noise does not.
        """
        peak = _peak(sizes, packets_at_once)
        known = len(self._peaks) >= self._least
        quiet = float(np.quantile(self._peaks, 0.1)) if known else 0.0
        usual = known and peak <= self._factor * quiet + self._share_of_key * key_size
        self._peaks.append(peak)
        return usual


def _peak(sizes: Sequence[int], at_once: int) -> float:
    if not sizes:
        return 0.0
    window = max(1, min(at_once, len(sizes)))
    return float(np.convolve(np.asarray(sizes, np.float64), np.ones(window), "valid").max() / window)

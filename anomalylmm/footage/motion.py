"""Skips frames in which nothing happens, cheaply, without ever going blind; knows no detector."""

import math

import cv2
import numpy as np

from anomalylmm.errors import ConfigurationError
from anomalylmm.footage.stillness import Background
from anomalylmm.records import Box, Floats, Image

QUIET_SHARE = 0.25  # of the time since something happened that passes between two glances


class MotionGate:
    """Opens while something differs from a slow background, and for a glance at regular times.

    The picture is compared as a small color one (who wears the street's gray level still has another color):
    averaging removes sensor noise, and the median difference is taken out, so that automatic exposure and lamps do
    not count as motion. After motion the gate stays open for ``linger_seconds``, because a person who
    falls often lies still at once. One frame of a still scene passes every ``max_idle_seconds``, so that a person who
    lies or stands still is seen again. Where nothing has moved and nobody was seen for long, glances become rarer: a
    quarter of that time passes between two of them, at most ``max_empty_seconds``. Where small persons are searched
    for, the picture is divided into N x N parts, and each counts by itself.
    """

    def __init__(
        self,
        *,
        max_idle_seconds: float,
        max_empty_seconds: float,
        linger_seconds: float,
        min_changed_share: float,
        threshold: float = 12.0,
        background_seconds: float = 20.0,
        width_px: int = 96,
        parts: int = 1,
    ) -> None:
        if min(max_idle_seconds, max_empty_seconds, linger_seconds, background_seconds) < 0 or width_px < 8:
            raise ConfigurationError("the motion gate's times must not be negative and its width at least 8 pixels")
        self.max_idle_seconds = max_idle_seconds
        self.max_empty_seconds = max_empty_seconds
        self.linger_seconds = linger_seconds
        self.min_changed_share = min_changed_share
        self.width_px = width_px * parts
        self._background = Background(threshold=threshold, follow_seconds=background_seconds, parts=parts)
        self._last_seconds = -math.inf
        self._open_until = -math.inf
        self._eventful_seconds = -math.inf  # when something last moved or somebody was last seen

    def is_moving(self, image: Image, pts_seconds: float) -> bool:
        """Tells whether a frame (H, W, 3) is worth a detector; to be asked for each sampled frame in time order."""
        if pts_seconds < self._last_seconds:  # the clock stepped back: what was planned means nothing
            self._open_until = self._eventful_seconds = -math.inf
            self._background.forget()
        self._last_seconds = pts_seconds
        changed = self.changed_share(image, pts_seconds)
        if changed >= self.min_changed_share:
            self._eventful_seconds = pts_seconds
            self._open_until = max(self._open_until, pts_seconds + self.linger_seconds)
            return True
        if pts_seconds <= self._open_until:
            return True
        if pts_seconds - self._open_until >= self._idle_seconds(pts_seconds):
            self._open_until = pts_seconds
            return True
        return False

    def note_somebody(self, pts_seconds: float) -> None:
        """Takes in that a frame which passed shows somebody, so that glances stay frequent."""
        self._eventful_seconds = max(self._eventful_seconds, pts_seconds)

    def _idle_seconds(self, pts_seconds: float) -> float:
        """How long a still scene may go on without a glance."""
        quiet_seconds = pts_seconds - self._eventful_seconds
        return max(self.max_idle_seconds, min(QUIET_SHARE * quiet_seconds, self.max_empty_seconds))

    @property
    def moving_box(self) -> Box | None:
        """Around what moves in the last frame, in shares of its sides (x0, y0, x1, y1); None: unknown."""
        return self._background.changed_box

    def changed_share(self, image: Image, pts_seconds: float) -> float:
        """Measures the share of pixels that differ from the background (0..1), of the part where it is largest."""
        return self._background.changed_share(self._shrink(image), pts_seconds)

    def _shrink(self, image: Image) -> Floats:
        height = max(1, round(image.shape[0] * self.width_px / image.shape[1]))
        return cv2.resize(image, (self.width_px, height), interpolation=cv2.INTER_AREA).astype(np.float32)

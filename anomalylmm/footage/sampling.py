"""Decides which presentation times of a video are looked at; knows nothing of decoders."""

import math

from anomalylmm.errors import ConfigurationError

_SLACK = 1e-6  # share of a sampling period by which container clocks round


class Sampler:
    """Picks frames for decoders that walk: the first frame at or after each sample time.

    The grid of sample times begins with the first frame. A gap in the clock gives one frame after it, not one for
    each sample time missed, and the times picked always increase: a clock that steps back gives nothing until it
    has caught up (a decoder that meets a restarted clock unwraps it first).
    """

    def __init__(self, sample_fps: float) -> None:
        _check_rate(sample_fps)
        self.sample_fps = sample_fps
        self._first_seconds: float | None = None
        self._next_index = 0

    def wants(self, pts_seconds: float) -> bool:
        """Tells whether the frame of this time is to be looked at; to be asked once a frame, in file order."""
        if not math.isfinite(pts_seconds):
            return False
        if self._first_seconds is None:
            self._first_seconds = pts_seconds
        position = (pts_seconds - self._first_seconds) * self.sample_fps + _SLACK
        if position < self._next_index:
            return False
        self._next_index = math.floor(position) + 1
        return True


def _check_rate(sample_fps: float) -> None:
    if not (math.isfinite(sample_fps) and sample_fps > 0):
        raise ConfigurationError(f"sample_fps is {sample_fps}, but must be a positive number of frames a second")

"""Makes presentation times that only rise of what a container's clock says; knows no decoder."""

import math

SETTLED_FRAMES = 3  # frames in a row off the clock that mean a new clock; fewer are slips
LEAP_SECONDS = 86_400.0  # a camera may pause for a day; a longer leap is a broken clock
STEP_BACK_SECONDS = 1.0  # more than frames usually are out of order
USUAL_SECONDS = 0.04  # of a frame whose length nobody tells


class SteadyClock:
    """Follows a clock that stands still, starts again or leaps, as recorders' clocks do.

    A frame or two off the clock are left out. From the third on the clock is taken to be a new one, which goes on
    where the old one ended, so that nothing of a video is lost by its clock.
    """

    def __init__(self, start_seconds: float, last_seconds: float | None = None) -> None:
        """Begins with the stream's start, taken as 0, and the time already delivered where there is one."""
        self._offset = -start_seconds
        self._resuming = last_seconds is not None
        self.last_seconds = last_seconds
        self._num_off, self._pending = 0, 0.0

    def read(self, said_seconds: float | None, frame_seconds: float) -> float | None:
        """Gives the time of the next frame, later than all before it; None where the frame is to be left out."""
        frame_seconds = frame_seconds if 0 < frame_seconds < LEAP_SECONDS else USUAL_SECONDS
        if said_seconds is not None and math.isfinite(said_seconds):
            seconds = max(0.0, said_seconds + self._offset)
            if self._follows(seconds):
                return self._accept(seconds)
            if self._resuming:  # on the way from the key frame to what is new
                return None
        self._num_off, self._pending = self._num_off + 1, self._pending + frame_seconds
        if said_seconds is not None and self._num_off < SETTLED_FRAMES:
            return None
        seconds = 0.0 if self.last_seconds is None else self.last_seconds + self._pending
        if said_seconds is not None and math.isfinite(said_seconds):
            self._offset = seconds - said_seconds
        self.last_seconds, self._pending, self._resuming = seconds, 0.0, False
        return seconds

    def _follows(self, seconds: float) -> bool:
        if self.last_seconds is None:
            return seconds <= LEAP_SECONDS
        return 0 < seconds - self.last_seconds <= LEAP_SECONDS

    def _accept(self, seconds: float) -> float:
        self.last_seconds, self._num_off, self._pending, self._resuming = seconds, 0, 0.0, False
        return seconds


def is_steady(times: list[float]) -> bool:
    """Whether the times of a container's packets, in file order, need no mending."""
    newest = -math.inf
    for seconds in times:
        if seconds < newest - STEP_BACK_SECONDS or seconds > max(newest, 0.0) + LEAP_SECONDS:
            return False
        newest = max(newest, seconds)
    return len(set(times)) == len(times)

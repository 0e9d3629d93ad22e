"""Counts the seconds of a video that its file promises and its decoder does not give; knows no decoder."""

import heapq

Ticks = int


class Ledger:
    """Compares the packets given to a decoder with the frames that come out of it, in time order.

    A frame is lost where a packet was given and no frame was shown at its time, or one with damaged parts. Where a
    file is damaged, any time without a frame is lost as well, because packets may be missing. Elsewhere such a time is
    a camera's pause.
    """

    def __init__(self, *, start_seconds: float = 0.0) -> None:
        """Begins before the first frame; what is promised begins at ``start_seconds``."""
        self._promised: list[tuple[Ticks, float]] = []  # a heap: time and length of packets that gave no frame yet
        self._spans: dict[Ticks, float] = {}  # lengths of the spans left out, by the time of the key frame before
        self.covered_seconds = start_seconds  # the end of the last frame or of the span left out after it
        self._lost_seconds, self._silent_seconds = 0.0, 0.0

    def promise(self, pts: Ticks | None, seconds: float) -> None:
        """Adds a packet that is given to the decoder; one without a time promises nothing."""
        if pts is not None:
            heapq.heappush(self._promised, (pts, seconds))

    def leave_out(self, pts: Ticks, seconds: float) -> None:
        """Adds a still span that is left out on purpose: it counts as covered if the key frame at its start is."""
        self._spans[pts] = seconds

    def show(self, pts: Ticks | None, pts_seconds: float | None, seconds: float, *, is_whole: bool = True) -> None:
        """Adds a frame that the decoder gave.

        Args:
            pts: Its time in the file.
            pts_seconds: Its time since the start of the video; None if it is passed over because of its time.
            seconds: Its length.
            is_whole: False if the decoder filled damaged parts with something else; such a frame counts as lost.
        """
        missing = 0.0
        while pts is not None and self._promised and self._promised[0][0] <= pts:
            first, length = heapq.heappop(self._promised)
            missing += length if first < pts else 0.0
        if pts_seconds is None:
            return
        hole = max(0.0, pts_seconds - self.covered_seconds)
        missing = min(missing, hole)
        self._lost_seconds += missing + (0.0 if is_whole else seconds)
        self._silent_seconds += hole - missing if hole > seconds else 0.0
        span = self._spans.pop(pts, 0.0) if pts is not None else 0.0
        self.covered_seconds = pts_seconds + max(seconds, span)

    def lost_seconds(self, *, is_damaged: bool) -> float:
        """Seconds lost before ``covered_seconds``."""
        return self._lost_seconds + (self._silent_seconds if is_damaged else 0.0)

    @property
    def promised_seconds(self) -> float:
        """The end of the last frame promised; to be asked at the end of the video."""
        return self.covered_seconds + sum(length for _, length in self._promised)

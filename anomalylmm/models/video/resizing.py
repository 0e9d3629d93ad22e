"""Makes PyAV's frames smaller; used inside the decoding child only."""

from typing import Any


def resized(frame: Any, width_px: int) -> Any:
    """The frame as RGB of that width, in proportion, each pixel the mean of what it covers."""
    height_px = max(1, round(frame.height * width_px / frame.width))
    return frame.reformat(width=width_px, height=height_px, format="rgb24", interpolation="AREA")

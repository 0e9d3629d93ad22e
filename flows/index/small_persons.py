"""Says which people of a camera are too small to be found."""

from anomalylmm.footage.tiles import smallest_person
from anomalylmm.records import VideoHeader
from flows.settings.views import FrameView

MUCH_LARGER = 2.0  # frames to the decode width, from which it is worth a note


def note_small_persons(header: VideoHeader, view: FrameView, image_size: int) -> str:
    """Describes the loss for one video; empty if its frames are hardly scaled down, or are searched in tiles."""
    width, height = header.width_px, header.height_px
    if view.tiles > 1 or not view.max_width or width <= MUCH_LARGER * view.max_width:
        return ""
    least = smallest_person(max(width, height), image_size, view.tiles)
    return (
        f"frames of {width} x {height} px are searched {view}: of people under about {least} px in height, more than "
        "half are missed. If people there are smaller, set max_width and tiles for this camera in [[cameras]]"
    )

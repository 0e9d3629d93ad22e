"""Says where the view of a camera misses small people, or costs time for nothing."""

from anomalylmm.footage.tiles import MIN_TILE_SHARE, smallest_person, tile_side
from anomalylmm.records import VideoHeader
from flows.settings.views import FrameView

MUCH_LARGER = 2.0  # frames to the decode width, from which it is worth a note


def note_view(header: VideoHeader, view: FrameView) -> str:
    """Describes what is amiss with the view of one video; empty if nothing is."""
    width, height = header.width_px, header.height_px
    if view.tiles > 1:
        return _note_waste(min(width, view.max_width or width), view)
    if not view.max_width or width <= MUCH_LARGER * view.max_width:
        return ""
    least = smallest_person(max(width, height), view.image_size, view.tiles)
    return (
        f"frames of {width} x {height} px are searched {view}: of people under about {least} px in height, more than "
        "half are missed. If people there are smaller, set image_size and max_width for this camera in [[cameras]], or "
        "tiles if the detector's size is fixed"
    )


def _note_waste(width: int, view: FrameView) -> str:
    side = tile_side(width, view.tiles)
    if side >= MIN_TILE_SHARE * view.image_size:
        return ""
    return (
        f"frames of {width} px in width are cut into {view.tiles} x {view.tiles} tiles of {side} px, which the "
        f"detector enlarges to {view.image_size} px: this costs time and finds nobody new. Set tiles = 1 for this "
        "camera in [[cameras]]"
    )

"""Notes on how a camera's frames are searched."""

import pytest

from anomalylmm.records import VideoHeader
from flows.index.units.small_persons import note_view
from flows.settings.views import FrameView


def note(width: int, view: FrameView) -> str:
    header = VideoHeader(
        width_px=width,
        height_px=width * 9 // 16,
        num_frames_from_header=0,
        duration_seconds_from_header=0.0,
        average_fps=25.0,
        codec="h264",
    )
    return note_view(header, view)


def test_frames_that_are_scaled_down_much_come_with_the_least_height_and_the_remedy() -> None:
    found = note(3840, FrameView(960, 1, 416))
    assert "about 277 px in height" in found
    assert "set image_size and max_width" in found


def test_tiles_of_frames_that_are_too_narrow_for_them_are_named() -> None:
    found = note(640, FrameView(960, 3, 416))
    assert "frames of 640 px in width are cut into 3 x 3 tiles of 247 px" in found
    assert "tiles = 1" in found


@pytest.mark.parametrize(
    ("width", "view"),
    [
        (1920, FrameView(960, 1, 416)),
        (3840, FrameView(1920, 1, 1664)),
        (3840, FrameView(0, 1, 416)),
        (3840, FrameView(1920, 3, 416)),
        (1280, FrameView(0, 3, 416)),
    ],
)
def test_other_views_need_no_note(width: int, view: FrameView) -> None:
    assert note(width, view) == ""

"""Which decode width, tiles and detector size a camera gets."""

import pytest

from flows.settings.model import Settings
from flows.settings.sections import CameraSettings
from flows.settings.views import CameraViews, FrameView

ENTRIES = (
    CameraSettings(pattern="{camera}/{any}"),
    CameraSettings(name="yard", max_width=3840, tiles=3),
    CameraSettings(pattern="roof/{any}", tiles=2),
    CameraSettings(name="door", max_width=0),
    CameraSettings(name="wall", image_size=832),
)


@pytest.mark.parametrize(
    ("camera", "path", "view"),
    [
        ("yard", "north/1.mp4", FrameView(3840, 3, 416)),
        ("mast", "roof/1.mp4", FrameView(960, 2, 416)),
        ("yard", "roof/1.mp4", FrameView(3840, 3, 416)),
        ("door", "door/1.mp4", FrameView(0, 1, 416)),
        ("wall", "wall/1.mp4", FrameView(960, 1, 832)),
        ("gate", "gate/1.mp4", FrameView(960, 1, 416)),
    ],
)
def test_the_first_entry_with_a_view_that_fits_decides(camera: str, path: str, view: FrameView) -> None:
    assert CameraViews(Settings(cameras=ENTRIES)).find(camera, path) == view


def test_a_view_can_be_read() -> None:
    assert str(FrameView(0, 1, 416)) == "in full width, seen at 416 px"
    assert str(FrameView(1920, 2, 832)) == "at most 1920 px wide, in 2 x 2 tiles, seen at 832 px"


@pytest.mark.parametrize(
    ("tiles", "image_size", "parts"), [(1, 416, 1), (3, 416, 3), (1, 832, 2), (2, 832, 4), (1, 320, 1), (1, 1664, 4)]
)
def test_the_search_for_motion_is_as_fine_as_the_detector_sees(tiles: int, image_size: int, parts: int) -> None:
    assert FrameView(1920, tiles, image_size).motion_parts(416) == parts

"""Which decode width and tiles a camera gets."""

import pytest

from flows.settings.model import Settings
from flows.settings.sections import CameraSettings
from flows.settings.views import CameraViews, FrameView

ENTRIES = (
    CameraSettings(pattern="{camera}/{any}"),
    CameraSettings(name="yard", max_width=3840, tiles=3),
    CameraSettings(pattern="roof/{any}", tiles=2),
    CameraSettings(name="door", max_width=0),
)


@pytest.mark.parametrize(
    ("camera", "path", "view"),
    [
        ("yard", "north/1.mp4", FrameView(3840, 3)),
        ("mast", "roof/1.mp4", FrameView(960, 2)),
        ("yard", "roof/1.mp4", FrameView(3840, 3)),
        ("door", "door/1.mp4", FrameView(0, 1)),
        ("gate", "gate/1.mp4", FrameView(960, 1)),
    ],
)
def test_the_first_entry_with_a_width_or_tiles_that_fits_decides(camera: str, path: str, view: FrameView) -> None:
    assert CameraViews(Settings(cameras=ENTRIES)).find(camera, path) == view


def test_a_view_can_be_read() -> None:
    assert str(FrameView(0, 1)) == "in full width"
    assert str(FrameView(1920, 2)) == "at most 1920 px wide, in 2 x 2 tiles"

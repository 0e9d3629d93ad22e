"""What is drawn over the frames of a clip: blurred regions, a box, a line of text. Pure: pictures in, pictures out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from anomalylmm.records import Box, Image

BOX_COLOR = (255, 210, 0)
CELLS = 4  # a blurred region becomes at most so many cells a side
TEXT_SHARE = 0.035  # height of text, of the frame's
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEdit:
    """What is drawn over one frame; boxes in widths of the frame, both across and down."""

    blurred: tuple[Box, ...] = ()
    framed: Box | None = None
    text: str = ""


def apply_edit(image: Image, edit: FrameEdit) -> Image:
    """A copy of a frame (H, W, 3) with an edit drawn over it."""
    width = image.shape[1]
    edited = blur_regions(image, [_scale(box, width) for box in edit.blurred])
    if edit.framed is not None:
        corners = [round(value) for value in _scale(edit.framed, width)]
        cv2.rectangle(edited, corners[:2], corners[2:], BOX_COLOR, max(1, image.shape[0] // 240))
    if edit.text:
        _write(edited, edit.text)
    return edited


def blur_regions(image: Image, regions: Sequence[Box]) -> Image:
    """A copy in which each region is a few soft cells of its mean colors, from which no face can be restored."""
    blurred = image.copy()
    height, width = image.shape[:2]
    for region in regions:
        left, top = max(0, int(np.floor(region[0]))), max(0, int(np.floor(region[1])))
        right, bottom = min(width, int(np.ceil(region[2]))), min(height, int(np.ceil(region[3])))
        if right > left and bottom > top:
            cells = (min(CELLS, right - left), min(CELLS, bottom - top))
            small = cv2.resize(image[top:bottom, left:right], cells, interpolation=cv2.INTER_AREA)
            blurred[top:bottom, left:right] = cv2.resize(
                small, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
            ).reshape(bottom - top, right - left, 3)
    return blurred


def _scale(box: Box, factor: float) -> Box:
    return box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor


def _write(image: Image, text: str) -> None:
    """Writes white on black at the lower edge; the font knows ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    height, width = image.shape[:2]
    scale = TEXT_SHARE * height / 22  # this font is 22 pixels tall at scale 1
    (wide, tall), below = cv2.getTextSize(plain, FONT, scale, 1)
    scale *= min(1.0, (width - 8) / max(1, wide))
    cv2.rectangle(image, (0, height - tall - 2 * below), (width, height), (0, 0, 0), -1)
    cv2.putText(image, plain, (4, height - below), FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)

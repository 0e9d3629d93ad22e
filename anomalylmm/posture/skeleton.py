"""Drawing of a person's joints and bones; knows only the picture and the joints."""

import cv2
import numpy as np

from anomalylmm.errors import ShapeError
from anomalylmm.posture.features import NUM_JOINTS
from anomalylmm.posture.tracks import SURE_SCORE
from anomalylmm.records import Floats, Image

BONES = (
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (5, 6),
    (11, 12),
    (5, 11),
    (6, 12),
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
)
LEFT_COLOR = (90, 230, 255)  # the person's own left
RIGHT_COLOR = (255, 150, 220)
MIDDLE_COLOR = (255, 255, 255)  # the nose, and bones from one side to the other
OUTLINE_COLOR = (20, 20, 20)
_NOSE = 0
_PX_PER_WIDTH = 160  # shorter side of a picture for each pixel of line width
_SHIFT = 4  # binary places of cv2's coordinates
_FARTHEST_PX = 1e6  # cv2 counts in 32 bits


def draw_skeleton(image: Image, keypoints: Floats) -> Image:
    """Draws the bones between sure joints on a copy of the picture.

    A joint may lie outside the picture; one with a low score, or without a place, is left out with its bones.

    Args:
        image: (H, W, 3), RGB.
        keypoints: (17, 3): x and y in pixels of the image, score.

    Returns:
        The drawn picture, (H, W, 3).

    Raises:
        ShapeError: There are not 17 joints of x, y and score.
    """
    if keypoints.shape != (NUM_JOINTS, 3):
        raise ShapeError.of("keypoints", "(17, 3)", keypoints.shape)
    sure = np.isfinite(keypoints).all(axis=1) & (keypoints[:, 2] >= SURE_SCORE)
    near = np.clip(np.nan_to_num(keypoints[:, :2].astype(np.float64)), -_FARTHEST_PX, _FARTHEST_PX)
    points = np.rint(near * (1 << _SHIFT)).astype(int)
    drawn = image.copy()
    width = max(1, round(min(image.shape[:2]) / _PX_PER_WIDTH))
    for color, thickness in ((OUTLINE_COLOR, width + 2), (None, width)):  # all outlines first, else they cut lines
        _draw_bones(drawn, points, sure, color, thickness)
    return drawn


def _draw_bones(
    drawn: Image, points: np.ndarray, sure: np.ndarray, color: tuple[int, int, int] | None, thickness: int
) -> None:
    """Draws bones and joints, (17, 2) fixed-point places, in one color or in those of their sides."""
    for first, second in BONES:
        if sure[first] and sure[second]:
            ends = points[first].tolist(), points[second].tolist()
            cv2.line(drawn, *ends, color or _side_color(first, second), thickness, cv2.LINE_AA, _SHIFT)
    for joint in np.flatnonzero(sure).tolist():
        radius = (thickness << _SHIFT) * 3 // 4
        cv2.circle(drawn, points[joint].tolist(), radius, color or _side_color(joint, joint), -1, cv2.LINE_AA, _SHIFT)


def _side_color(first: int, second: int) -> tuple[int, int, int]:
    """Colors a bone by the side of its joints; in COCO's order left ones are odd."""
    sides = {joint % 2 for joint in (first, second) if joint != _NOSE}
    if len(sides) != 1:
        return MIDDLE_COLOR
    return LEFT_COLOR if sides == {1} else RIGHT_COLOR

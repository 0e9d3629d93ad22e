"""Decides which frames of a video show a moment, and which part of them; knows no decoder."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.crops import context_box
from anomalylmm.records import Box, Clip, CropRow, Floats, Image, MomentCut, MomentPlace

REACH_SECONDS = 1.0  # boxes of crops this long before and after a moment still say where its person is
SHAPE_TOLERANCE = 0.05  # of a ratio of width to height; 4:3 and 16:9 differ by 0.33
CHECK_SIDE_PX = 48
SAME_PICTURE = 12.0  # mean difference of gray levels; see ``shows_crop``


def moment_times(best_seconds: float, span_seconds: float, count: int) -> tuple[float, ...]:
    """Spreads times evenly over a span around the best one, which is among them; those before 0 are left out."""
    step = span_seconds / max(1, count - 1)
    times = (best_seconds + (number - count // 2) * step for number in range(count))
    return tuple(time for time in times if time >= 0)


def plan_moment(
    best: CropRow,
    crops: Sequence[CropRow],
    *,
    span_seconds: float,
    count: int,
    margin: float,
    moment_cut: MomentCut = "fixed",
) -> MomentPlace:
    """Plans the moment around a tracklet's best crop.

    The part of the frame is a square with the person and the surroundings. A fixed one holds the person's boxes over
    the whole span; one that follows has the mean size of these boxes, and the person in its middle.

    Args:
        best: The crop that the coarse search found.
        crops: All crops of its tracklet in the same video.
        span_seconds: Length of the moment.
        count: Frames wanted.
        margin: On each side of the boxes, as a share of their longer side.
        moment_cut: Whether the square stays where it is or follows the person.
    """
    width, height = best.frame_width_px, best.frame_height_px
    reach = span_seconds / 2 + REACH_SECONDS
    near = [crop for crop in (best, *crops) if abs(crop.pts_seconds - best.pts_seconds) <= reach]
    alike = [crop for crop in near if _is_alike((crop.frame_height_px, crop.frame_width_px), (height, width))]
    boxes = np.array([np.array(crop.box_xyxy_px) * width / crop.frame_width_px for crop in alike])
    times = moment_times(best.pts_seconds, span_seconds, count)
    if moment_cut == "follow":
        wanted = follow_boxes([crop.pts_seconds for crop in alike], boxes, times, (width, height))
    else:
        wanted = [(*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())] * len(times)
    cuts = (context_box(box, width, height, margin=margin) for box in wanted)
    shares = ((left / width, top / height, right / width, bottom / height) for left, top, right, bottom in cuts)
    return MomentPlace(pts_seconds=times, boxes_share=tuple(shares))


def follow_boxes(
    seen_seconds: Sequence[float], boxes: NDArray[np.float64], times: Sequence[float], size: tuple[int, int]
) -> list[Box]:
    """Gives a square for each of T times around the middle of a person, who moves evenly between the boxes.

    The size of the squares is the mean of the boxes' longer sides, so that a picture's scale does not change within
    a moment; at the border they are shifted into the frame. Before the first box and after the last, the person stays
    there.

    Args:
        seen_seconds: The times of N boxes.
        boxes: (N, 4), xyxy.
        times: T times.
        size: Width and height of the frame.
    """
    seen, first = np.unique(np.array(seen_seconds), return_index=True)
    corners, others = boxes[first, :2], boxes[first, 2:]
    side, middles = float((others - corners).max(axis=1).mean()), (corners + others) / 2
    across, down = (
        np.clip(np.interp(times, seen, middles[:, axis]), side / 2, max(side, size[axis]) - side / 2).tolist()
        for axis in (0, 1)
    )
    return [(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in zip(across, down, strict=True)]


def even_out(clip: Clip, best_seconds: float) -> Clip:
    """Brings the pictures of a moment to one shape where the size of the video's frames changes within it.

    Frames of another shape than at the best time are left out: a place in one is not the same place in the other.
    """
    nearest = int(np.abs(np.array(clip.pts_seconds) - best_seconds).argmin())
    height, width = clip[nearest].shape[:2]
    if all(image.shape[:2] == (height, width) for image in clip):
        return clip
    kept = [number for number, image in enumerate(clip) if _is_alike(image.shape, (height, width))]
    images = [cv2.resize(clip[number], (width, height), interpolation=cv2.INTER_AREA) for number in kept]
    return Clip([np.asarray(image, np.uint8) for image in images], [clip.pts_seconds[number] for number in kept])


def shows_crop(clip: Clip, place: MomentPlace, best: CropRow, picture: Image) -> bool:
    """Tells whether a fetched moment shows what the index saw at the best time.

    Compared is the person's box in gray, at a small size. Measured on 91 crops of rendered and real footage: the mean
    difference is at most 3.4 gray levels where the frame is the same, and over 12 in half of the frames half a second
    before or after, in which the person has moved.
    """
    nearest = int(np.abs(np.array(clip.pts_seconds) - best.pts_seconds).argmin())
    left, top, right, bottom = best.context_xyxy_px
    stored = _cut_share(picture, best.box_xyxy_px, (left, top, right, bottom))
    width, height = best.frame_width_px, best.frame_height_px
    shown = int(np.abs(np.array(place.pts_seconds) - best.pts_seconds).argmin())
    x0, y0, x1, y1 = place.boxes_share[shown]
    fetched = _cut_share(clip[nearest], best.box_xyxy_px, (x0 * width, y0 * height, x1 * width, y1 * height))
    return float(np.abs(_shrink_gray(stored) - _shrink_gray(fetched)).mean()) < SAME_PICTURE


def _is_alike(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Tells whether two heights and widths have the same ratio, but for rounding."""
    return abs(shape[1] * other[0] / max(1, shape[0] * other[1]) - 1) <= SHAPE_TOLERANCE


def _cut_share(image: Image, box: Box, shown: Box) -> Image:
    """Cuts a box of the frame out of a picture that shows another box of it, at whatever scale."""
    left, top, right, bottom = shown
    across, down = image.shape[1] / max(1e-6, right - left), image.shape[0] / max(1e-6, bottom - top)
    x0, x1 = ((value - left) * across for value in box[::2])
    y0, y1 = ((value - top) * down for value in box[1::2])
    x0, y0 = min(max(0, math.floor(x0)), image.shape[1] - 1), min(max(0, math.floor(y0)), image.shape[0] - 1)
    return image[y0 : max(y0 + 1, math.ceil(y1)), x0 : max(x0 + 1, math.ceil(x1))]


def _shrink_gray(image: Image) -> Floats:
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    side = (CHECK_SIDE_PX, CHECK_SIDE_PX)
    return np.asarray(cv2.resize(gray, side, interpolation=cv2.INTER_AREA), np.float32)

"""Who in a clip is the person asked about, and whose heads are blurred. Pure: boxes in, regions out.

What is known are boxes of whole persons, not faces: the upper part of a standing person's box holds the head, and in
a box that is wider than tall (lying, bent) it may be at either end, so that all of it is blurred.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalylmm.footage.box_motion import overlaps
from anomalylmm.records import Box, Floats

HEAD_SHARE = 0.25  # of a standing person's height, from the top
GROWTH = 0.16  # of the box, by which a head's region is larger on each side
MIN_OVERLAP = 0.3  # intersection over union from which two boxes are taken for one person
SAME_PERSON = 0.5  # intersection over union from which two boxes of one frame are both of one person
HOLD_SECONDS = 0.34  # before and after, so that a frame in which a person is missed shows no head
LOST_SECONDS = 1.0  # after which a person who was not found again is no longer followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A box of the person asked about at one time, from the index."""

    pts_seconds: float
    box_xyxy_px: Box


def find_same(boxes: Floats, box: Box | Floats) -> int:
    """Position of the box that is the same person's, or -1 where none is near enough."""
    if len(boxes) == 0:
        return -1
    found = overlaps(boxes, np.atleast_2d(box))[:, 0]
    best = int(found.argmax())
    return best if found[best] >= MIN_OVERLAP else -1


def follow(times: Sequence[float], boxes: Sequence[Floats], sighting: Sighting | None) -> list[int]:
    """Position of the asked person's box in each of T frames, -1 where they are not recognized.

    They are followed from frame to frame, both ways from the one sighting that the judge saw. The tracklet's other
    boxes are not believed: a tracker takes one person for another at times, and then a bystander would be shown.
    """
    found = [-1] * len(times)
    if sighting is None or not times:
        return found
    seed = int(np.abs(np.asarray(times) - sighting.pts_seconds).argmin())
    if abs(times[seed] - sighting.pts_seconds) <= HOLD_SECONDS:
        found[seed] = find_same(boxes[seed], sighting.box_xyxy_px)
    if found[seed] >= 0:
        _walk(times, boxes, found, seed, range(seed + 1, len(times)))
        _walk(times, boxes, found, seed, range(seed - 1, -1, -1))
    return found


def _walk(times: Sequence[float], boxes: Sequence[Floats], found: list[int], seed: int, order: range) -> None:
    """Fills in the positions from the seed on; ends where the person was lost for too long."""
    last, seen = boxes[seed][found[seed]], times[seed]
    for frame in order:
        if abs(times[frame] - seen) > LOST_SECONDS:
            return
        found[frame] = find_same(boxes[frame], last)
        if found[frame] >= 0:
            last, seen = boxes[frame][found[frame]], times[frame]


def others(boxes: Floats, mine: int) -> Floats:
    """The boxes that are not the asked person's (position ``mine``; -1 for nobody), nor second ones around them."""
    if mine < 0:
        return boxes
    return boxes[overlaps(boxes, boxes[[mine]])[:, 0] < SAME_PERSON]


def head_region(box: Box | Floats) -> Box:
    """The part of a person's box where the head is: the upper quarter, or all of one that is wider than tall."""
    left, top, right, bottom = (float(value) for value in box)
    wide, tall = right - left, bottom - top
    low = bottom if wide > tall else top + HEAD_SHARE * tall
    return left - GROWTH * wide, top - GROWTH * tall, right + GROWTH * wide, low


def bystander_heads(times: Sequence[float], boxes: Sequence[Floats], asked: Sequence[int]) -> list[list[Box]]:
    """The regions to blur in each of T frames: heads of all but the asked person, held a little before and after."""
    own = [[head_region(box) for box in others(found, mine)] for found, mine in zip(boxes, asked, strict=True)]
    moments = np.asarray(times, dtype=np.float64)
    regions = []
    for time in times:
        near = np.flatnonzero(np.abs(moments - time) <= HOLD_SECONDS)
        regions.append([region for frame in near for region in own[frame]])
    return regions

"""Who is where in every frame of a clip, although the detector looks at few of them.

It looks every third of a second. Where both ends of such a gap show the same people at nearly the same places, they
are in between as well; where not, it looks in the middle of the gap, and so on down to a tenth of a second.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from anomalylmm.footage.box_motion import overlaps
from anomalylmm.protocols import ClipCutter, PersonDetector
from anomalylmm.records import Box, CropRow, Floats, Image
from flows.export.bystanders import HOLD_SECONDS, MIN_OVERLAP, Sighting, bystander_heads, follow

GAP_SECONDS = 0.34  # between two looks where little changes
MIN_GAP_SECONDS = 0.1  # well below the time for which a blurred head is held
CHUNK = 64  # frames kept at once
BATCH = 8  # frames shown to the detector at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who is where in every frame of a clip, by time; boxes in widths of the frame, both across and down."""

    asked: dict[float, Box]
    heads: dict[float, list[Box]]  # to be blurred

    def heads_near(self, pts_seconds: float) -> list[Box]:
        """Heads to be blurred in the frame of a time; none where no frame is near."""
        nearest = min(self.heads, key=lambda time: abs(time - pts_seconds), default=None)
        if nearest is None or abs(nearest - pts_seconds) > HOLD_SECONDS:
            return []
        return self.heads[nearest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """A detector, and how large it needs to see frames."""

    detector: PersonDetector
    max_width_px: int | None

    def look(
        self, cutter: ClipCutter, source: Path, start_seconds: float, stop_seconds: float, crop: CropRow | None
    ) -> Scene:
        """Finds everybody anew in every frame of a piece, and who of them is the person of a crop.

        Raises:
            VideoError: The source can't be decoded there.
        """
        times: list[float] = []
        boxes: list[Floats] = []
        waiting: list[Image] = []
        with closing(cutter.iter_frames(source, start_seconds, stop_seconds, self.max_width_px)) as frames:
            for image, pts_seconds in frames:
                times.append(pts_seconds)
                waiting.append(image)
                if len(waiting) == CHUNK:
                    boxes += self._find(times[-CHUNK:], waiting)
                    waiting = []
        boxes += self._find(times[len(boxes) :], waiting) if waiting else []
        asked = follow(times, boxes, _sight(crop))
        heads = bystander_heads(times, boxes, asked)
        own = {time: _to_box(found[mine]) for time, found, mine in zip(times, boxes, asked, strict=True) if mine >= 0}
        return Scene(asked=own, heads=dict(zip(times, heads, strict=True)))

    def _find(self, times: Sequence[float], images: Sequence[Image]) -> list[Floats]:
        return fill_gaps(times, lambda places: self._detect([images[place] for place in places]))

    def _detect(self, images: Sequence[Image]) -> list[Floats]:
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        found = [item for batch in batches for item in self.detector.detect(batch)]
        return [item.boxes_xyxy_px / image.shape[1] for item, image in zip(found, images, strict=True)]


def fill_gaps(times: Sequence[float], detect: Callable[[Sequence[int]], Sequence[Floats]]) -> list[Floats]:
    """Finds the boxes in T frames in a row; ``detect`` gives those of the frames at some places."""
    ends = [0]
    for place in range(1, len(times)):
        if place == len(times) - 1 or times[place + 1] - times[ends[-1]] > GAP_SECONDS:
            ends.append(place)
    found = dict(zip(ends, detect(ends), strict=True))
    gaps = list(pairwise(ends))
    while gaps:
        unsure = []
        for first, last in gaps:
            pairs = pair_boxes(found[first], found[last])
            if pairs is None and last - first > 1 and times[last] - times[first] > MIN_GAP_SECONDS:
                unsure.append((first, (first + last) // 2, last))
            else:
                _fill(times, found, first, last, pairs)
        middles = [middle for _, middle, _ in unsure]
        found |= dict(zip(middles, detect(middles), strict=True)) if middles else {}
        gaps = [gap for first, middle, last in unsure for gap in ((first, middle), (middle, last))]
    return [found[place] for place in range(len(times))]


def _fill(times: Sequence[float], found: dict[int, Floats], first: int, last: int, pairs: list[int] | None) -> None:
    """Adds the boxes between two frames: those of pairs move evenly, others are taken from the nearer frame."""
    for place in range(first + 1, last):
        share = (times[place] - times[first]) / (times[last] - times[first])
        if pairs is None:
            found[place] = found[first if share < 0.5 else last]
        else:
            found[place] = (1 - share) * found[first] + share * found[last][pairs]


def pair_boxes(first: Floats, last: Floats) -> list[int] | None:
    """For each box of one frame the place of the same person's in another; None where they are not the same people."""
    if len(first) != len(last):
        return None
    if len(first) == 0:
        return []
    shared = overlaps(first, last)
    pairs = shared.argmax(axis=1).tolist()
    is_sure = bool((shared.max(axis=1) >= MIN_OVERLAP).all()) and len(set(pairs)) == len(pairs)
    return pairs if is_sure else None


def _sight(crop: CropRow | None) -> Sighting | None:
    if crop is None:
        return None
    left, top, right, bottom = (value / max(1, crop.frame_width_px) for value in crop.box_xyxy_px)
    return Sighting(pts_seconds=crop.pts_seconds, box_xyxy_px=(left, top, right, bottom))


def _to_box(corners: Floats) -> Box:
    return float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3])

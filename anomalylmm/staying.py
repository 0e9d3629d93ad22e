"""Faint detections that stay in one place: who lies on the ground is found again and again, and never surely."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.crops import overlaps
from anomalylmm.records import Detections, Floats

SAME_PLACE = 0.8  # overlap (IoU) of two detections of somebody who does not move
SEEN_SHARE = 2 / 3  # of the looks, in which a faint detection comes again


@dataclass(slots=True)
class _Place:
    box: Floats  # where it was seen last
    looks: int = 0  # since it was seen first
    seen: int = 1
    missed: int = 0  # looks since it was seen last


class StayingDetections:
    """Tells which detections of one video have stayed in one place for a number of looks.

    A tracker begins no track with what is less sure than its threshold, because most of that is nobody. What is seen
    in the same place for seconds is somebody more often: on the rendered validation archive the one person of 95
    events without a track had lain there, found 31 times.
    """

    def __init__(self, *, least_looks: int, most_missed: int) -> None:
        """Remembers nothing yet.

        Args:
            least_looks: Looks over which a detection has to stay; 0 lets none stay.
            most_missed: Looks in a row without it after which a place is forgotten.
        """
        self._least_looks, self._most_missed = least_looks, most_missed
        self._places: list[_Place] = []

    def update(self, detections: Detections) -> NDArray[np.bool_]:
        """Looks at the N detections of the next frame; gives for each whether it has stayed, (N,)."""
        stayed = np.zeros(len(detections), bool)
        if not self._least_looks:
            return stayed
        for place in self._places:
            place.looks += 1
            place.missed += 1
        known = np.array([place.box for place in self._places], np.float32).reshape(-1, 4)
        for number, box in enumerate(detections.boxes_xyxy_px):
            shares = overlaps(known, box)
            nearest = int(shares.argmax()) if len(known) else -1
            if nearest < 0 or shares[nearest] < SAME_PLACE:
                self._places.append(_Place(box))
                continue
            place = self._places[nearest]
            place.seen += place.missed > 0  # two detections of one frame count once
            place.box, place.missed = box, 0
            stayed[number] = place.looks >= self._least_looks and place.seen >= SEEN_SHARE * self._least_looks
        self._places = [place for place in self._places if place.missed <= self._most_missed]
        return stayed

"""The joints of one tracked person over time, and what they say at the moments of its crops."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalylmm.posture.change import FALL_SECONDS, read_sequence, trunk_angles
from anomalylmm.posture.classes import CHANGES, STILLS
from anomalylmm.posture.head import SequenceHead
from anomalylmm.records import Body, Box, Floats

SURE_SCORE = 0.15  # least mean score of a body's joints from the shoulders down
_BODY = slice(5, 17)


@dataclass(slots=True, kw_only=True)
class BodyTrack:
    """The moments of one track, in time order; unsure joints are left out."""

    pts_seconds: list[float] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    keypoints: list[Floats] = field(default_factory=list, repr=False)  # (17, 3) each
    stills: list[Floats] = field(default_factory=list, repr=False)  # (C,) each

    def add(self, pts_seconds: float, box: Box, keypoints: Floats, stills: Floats) -> None:
        """Adds a moment, unless its joints (17, 3) are too unsure to say anything."""
        if float(keypoints[_BODY, 2].mean()) >= SURE_SCORE:
            self.pts_seconds.append(pts_seconds)
            self.boxes.append(box)
            self.keypoints.append(keypoints)
            self.stills.append(stills)

    def since(self, pts_seconds: float) -> "BodyTrack":
        """Copies what is still needed for a fall that ends after this time."""
        first = int(np.searchsorted(self.pts_seconds, pts_seconds - FALL_SECONDS))
        return BodyTrack(
            pts_seconds=self.pts_seconds[first:],
            boxes=self.boxes[first:],
            keypoints=self.keypoints[first:],
            stills=self.stills[first:],
        )

    def read(
        self, moments: Sequence[float], spans: Sequence[tuple[float, float]], head: SequenceHead | None = None
    ) -> list[Body | None]:
        """Reads the body of each crop.

        Stills are those of the crop's moment, averaged over about a second; a fall or a run counts for the crop in
        whose span of time it happened.

        Args:
            moments: Times of N crops.
            spans: First and last second for which each of them stands.
            head: Reads the moments around each other; without it, rules and averages do.
        """
        if not self.pts_seconds:
            return [None] * len(moments)
        times = np.array(self.pts_seconds)
        keypoints = np.stack(self.keypoints)
        read, seen = read_sequence(times, np.array(self.boxes), keypoints, np.stack(self.stills), head)
        angles = trunk_angles(keypoints[..., :2].astype(np.float64))
        return [
            self._at(moment, np.flatnonzero((times >= first) & (times <= last)), times, read, seen, angles)
            for moment, (first, last) in zip(moments, spans, strict=True)
        ]

    def _at(
        self,
        moment: float,
        inside: NDArray[np.int64],
        times: NDArray[np.float64],
        read: Floats,
        seen: Floats | None,
        angles: NDArray[np.float64],
    ) -> Body | None:
        """Reads one crop: stills of the usable moment nearest to its own, changes of all moments inside its span."""
        if not len(inside):
            return None
        index = int(inside[np.argmin(np.abs(times[inside] - moment))])
        scores = read[index].copy()
        scores[len(STILLS) :] = read[inside, len(STILLS) :].max(axis=0)
        fall, run = (float(scores[len(STILLS) + CHANGES.index(name)]) for name in ("fall", "run"))
        rise, sit, wave = (None, None, None) if seen is None else map(float, seen[inside].max(axis=0))
        return Body(
            keypoints=self.keypoints[index],
            posture_scores=scores,
            posture=STILLS[int(scores[: len(STILLS)].argmax())],
            fall_score=fall,
            run_score=run,
            rise_score=rise,
            sit_score=sit,
            wave_score=wave,
            trunk_angle_degrees=float(angles[index]),
            height_ratio=height_ratio(self.keypoints[index]),
        )


def height_ratio(keypoints: Floats) -> float:
    """Height of all joints (17, 3) over their height and width together: 1 thin and upright, 0 flat."""
    width, height = np.ptp(keypoints[:, :2], axis=0)
    return float(height / max(float(width + height), 1.0))

"""Links detections by ByteTrack's rules, without a model library."""

from dataclasses import dataclass

import lap
import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.box_motion import BoxMotion, Numbers, overlaps
from anomalylmm.records import Detections, Image

NO_TRACK = -1
MIN_SCORE = 0.1  # of a detection that may go on with a track
MAX_REACH = 1.0  # beyond that, boxes of a crowd all meet each other
SAME_PERSON = 0.85  # overlap of a track and a lost one, of which only the older stays
FIRST_COST, WEAK_COST, NEW_COST = 0.8, 0.5, 0.7  # 1 minus the least overlap, of sure, weak and new pairs


@dataclass(slots=True, kw_only=True)
class _Track:
    number: int
    motion: BoxMotion  # of one box
    first_frame: int
    last_frame: int  # in which it was seen
    is_sure: bool  # seen twice, or there from the start
    is_lost: bool = False


class ByteTracker:
    """Links the detections of one video; make a new one for each video. Implements ``Tracker``.

    ByteTrack (Zhang et al., ECCV 2022): sure detections are linked first, then weak ones go on with tracks that would
    be lost. At a few frames a second, a walking person leaves their box between two frames, so boxes are linked by
    their overlap after each has grown on all sides (buffered IoU: Yang et al., "Hard to Track Objects
    with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space", WACV 2023).
    """

    def __init__(self, *, sample_fps: float, buffer_seconds: float, min_score: float, reach_per_second: float) -> None:
        """Begins without tracks.

        Args:
            sample_fps: Frames a second that ``update`` will see.
            buffer_seconds: How long a person may be hidden before the track ends.
            min_score: Confidence from which a detection may begin a track.
            reach_per_second: Share of its width and height by which a box grows on each side for each second between
                frames, at most by its own size.
        """
        self._buffer = max(1, round(buffer_seconds * sample_fps))
        self._reach = min(MAX_REACH, reach_per_second / sample_fps)
        self._min_score = min_score
        self._tracks: list[_Track] = []
        self._frame = self._last_number = 0

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:  # noqa: ARG002 - others look at it
        """Gives each of N detections its track number, or -1 where it belongs to none; shape (N,).

        A track seen for the first time has its number at once: who passes in a moment is not lost, and whoever takes
        the tracks decides how many detections make one.
        """
        self._frame += 1
        boxes, scores = grow(detections.boxes_xyxy_px, self._reach), detections.scores
        usable = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (scores > MIN_SCORE)
        sure = np.flatnonzero(usable & (scores >= self._min_score))
        weak = np.flatnonzero(usable & (scores < self._min_score))
        numbers = np.full(len(detections), NO_TRACK, np.int64)
        known = [track for track in self._tracks if track.is_sure]
        self._predict(known)
        missed, sure = self._link(known, sure, boxes, scores, FIRST_COST, numbers)
        missed, _ = self._link([track for track in missed if not track.is_lost], weak, boxes, None, WEAK_COST, numbers)
        for track in missed:
            track.is_lost = True
        unsure = [track for track in self._tracks if not track.is_sure]
        dropped, sure = self._link(unsure, sure, boxes, scores, NEW_COST, numbers)
        self._keep(dropped)
        self._begin(sure, boxes, numbers)
        self._drop_doubles(numbers)
        return numbers

    def _predict(self, tracks: list[_Track]) -> None:
        is_lost = np.array([track.is_lost for track in tracks], bool)
        moved = BoxMotion.joined([track.motion for track in tracks]).predicted(is_lost)
        for index, track in enumerate(tracks):
            track.motion = moved[index]

    def _link(
        self,
        tracks: list[_Track],
        found: NDArray[np.intp],
        boxes: Numbers,
        scores: NDArray[np.float32] | None,
        most: float,
        numbers: NDArray[np.int64],
    ) -> tuple[list[_Track], NDArray[np.intp]]:
        """Links tracks to detections ``found`` (K,), by overlap and scores; gives the tracks and detections left."""
        if not tracks or not len(found):
            return tracks, found
        likeness = overlaps(BoxMotion.joined([track.motion for track in tracks]).boxes, boxes[found])
        if scores is not None:
            likeness = likeness * scores[found]
        _, rows, columns = lap.lapjv(1 - likeness, extend_cost=True, cost_limit=most)
        for track, column in zip(tracks, rows, strict=True):
            if column >= 0:
                self._go_on(track, boxes[found[column]])
                numbers[found[column]] = track.number
        return [track for track, column in zip(tracks, rows, strict=True) if column < 0], found[columns < 0]

    def _go_on(self, track: _Track, box: Numbers) -> None:
        track.motion = track.motion.corrected(box[None])
        track.last_frame, track.is_sure, track.is_lost = self._frame, True, False

    def _keep(self, dropped: list[_Track]) -> None:
        """Forgets tracks that were seen once, and those not seen for too long."""
        gone = {track.number for track in dropped}
        gone |= {track.number for track in self._tracks if self._frame - track.last_frame > self._buffer}
        self._tracks = [track for track in self._tracks if track.number not in gone]

    def _begin(self, found: NDArray[np.intp], boxes: Numbers, numbers: NDArray[np.int64]) -> None:
        """Begins a track with each of the detections ``found`` (K,)."""
        for index in found:
            self._last_number += 1
            numbers[index] = self._last_number
            self._tracks.append(
                _Track(
                    number=self._last_number,
                    motion=BoxMotion.at(boxes[index : index + 1]),
                    first_frame=self._frame,
                    last_frame=self._frame,
                    is_sure=self._frame == 1,
                )
            )

    def _drop_doubles(self, numbers: NDArray[np.int64]) -> None:
        """Of a track and a lost one in the same place, forgets the younger."""
        seen, lost = ([track for track in self._tracks if track.is_lost == is_lost] for is_lost in (False, True))
        if not seen or not lost:
            return
        places = [BoxMotion.joined([track.motion for track in tracks]).boxes for tracks in (seen, lost)]
        gone = set()
        for one, other in np.argwhere(overlaps(*places) > SAME_PERSON):
            ages = [track.last_frame - track.first_frame for track in (seen[one], lost[other])]
            gone.add((lost[other] if ages[0] > ages[1] else seen[one]).number)
        self._tracks = [track for track in self._tracks if track.number not in gone]
        numbers[np.isin(numbers, list(gone))] = NO_TRACK


def grow(boxes: NDArray[np.float32], reach: float) -> Numbers:
    """Boxes (N, 4) grown on each side by a share of their size."""
    grown = reach * (boxes[:, 2:] - boxes[:, :2])
    return np.hstack([boxes[:, :2] - grown, boxes[:, 2:] + grown]).astype(np.float64)

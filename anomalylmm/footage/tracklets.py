"""Turns tracked detections into tracklets of a few context crops each, in bounded memory; knows no tracker."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ConfigurationError, ShapeError
from anomalylmm.footage.crops import clip_box, context_box, cut, limit_size, sharpness
from anomalylmm.posture.features import body_size
from anomalylmm.posture.head import SequenceHead
from anomalylmm.posture.tracks import BodyTrack
from anomalylmm.records import Bodies, Body, Box, Crop, Detections, Image

LOST_SECONDS = 1.3  # in which somebody who was lost is found again at the same place
MIN_OVERLAP = 0.2  # of the smaller box with the last one
MIN_BEST_SCORE = 0.5  # of who was lost: a thing that is taken for a person now and then is found again as well
MAX_GROWTH = 2.0  # of the longer side of a box from one detection to the next
_SLACK_SECONDS = 1e-3  # by which container clocks round


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A video of the stream."""

    video_id: str
    first_id: str
    shift_seconds: float  # from its clock to that of the stream


@dataclass(slots=True, kw_only=True)
class _Moment:
    """One detection of an open tracklet that may become one of its crops."""

    place: _Place
    pts_seconds: float  # in its video
    box: Box
    context: Box
    score: float
    sharpness: float
    quality: float
    image: Image = field(repr=False)


@dataclass(slots=True, kw_only=True)
class _Part:
    """What one video shows of a tracklet, in that video's time."""

    start_seconds: float
    stop_seconds: float
    num_detections: int = 0


@dataclass(slots=True, kw_only=True)
class _OpenTracklet:
    tracklet_id: str
    start_seconds: float  # in the stream
    stop_seconds: float
    last_box: Box
    best_score: float = 0.0
    num_detections: int = 0
    parts: dict[str, _Part] = field(default_factory=dict)  # by video; the first one is where it begins
    best: dict[int, _Moment] = field(default_factory=dict)  # of each span of time since the start
    bodies: BodyTrack = field(default_factory=BodyTrack)


class TrackletBuilder:
    """Collects the tracklets of one stream: of one video, or of several that follow each other in time.

    A tracklet closes when its person is not seen after ``max_gap_seconds``, or has lasted
    ``max_tracklet_seconds``: a person who is in the picture for an hour gives many tracklets, so that a change of
    behavior is in one of its own. Its crops are the best moment of each ``seconds_per_crop``, so that whatever lasts
    twice as long has a crop, and what is shorter most often has. Ids are hashes of content, so the same video gives
    the same ids. A tracklet that goes on from one video into the next is named after the first; what a crop says is
    of the video that shows it.

    Somebody whom the tracker loses and finds again at the same place within a moment stays in one tracklet.
    A tracklet of fewer than ``min_detections`` is dropped, unless one of them is as sure as ``sure_score``.
    """

    def __init__(
        self,
        *,
        seconds_per_crop: float,
        min_detections: int,
        sure_score: float,
        max_gap_seconds: float,
        max_tracklet_seconds: float,
        margin: float,
        max_crop_px: int = 448,
        sequence: SequenceHead | None = None,
    ) -> None:
        if min(min_detections, max_crop_px) < 1 or min(seconds_per_crop, max_tracklet_seconds) <= 0:
            raise ConfigurationError(
                "seconds_per_crop, min_detections, max_crop_px and max_tracklet_seconds must be positive"
            )
        self.seconds_per_crop = seconds_per_crop
        self.min_detections = min_detections
        self.sure_score = sure_score
        self.max_gap_seconds = max_gap_seconds
        self.max_tracklet_seconds = max_tracklet_seconds
        self.margin = margin
        self.max_crop_px = max_crop_px
        self.sequence = sequence
        self._open: dict[int, _OpenTracklet] = {}
        self._earlier: dict[int, BodyTrack] = {}  # of tracks whose tracklet was long enough, but who are still there
        self._closed: list[tuple[Crop, ...]] = []
        self._place = _Place(video_id="", first_id="", shift_seconds=0.0)
        self._last_seconds = -math.inf  # in the stream
        self._pts_seconds = -math.inf  # in the video
        self._frame_size = (0, 0)

    def begin_video(self, video_id: str, *, first_id: str = "", shift_seconds: float = 0.0) -> None:
        """Goes on with a video of the stream, or with the same one.

        Args:
            video_id: Of the video.
            first_id: What its tracklets are named after, if not ``video_id``.
            shift_seconds: From the video's clock to that of the stream.
        """
        self._place = _Place(video_id=video_id, first_id=first_id or video_id, shift_seconds=shift_seconds)

    def add(
        self,
        detections: Detections,
        track_numbers: NDArray[np.int64],
        image: Image,
        pts_seconds: float,
        bodies: Bodies | None = None,
    ) -> None:
        """Adds the N detections of one frame; track number -1 (nobody yet) and boxes without area are left out.

        Args:
            detections: Of the frame.
            track_numbers: (N,).
            image: The frame.
            pts_seconds: Its time in its video.
            bodies: The joints of the N persons, where poses are estimated.

        Raises:
            ShapeError: There is not one track number for each detection.
        """
        if track_numbers.shape != (len(detections),):
            raise ShapeError.of("track_numbers", f"({len(detections)},)", track_numbers.shape)
        size = (image.shape[1], image.shape[0])
        stream_seconds = pts_seconds + self._place.shift_seconds
        if stream_seconds < self._last_seconds or size != self._frame_size:
            self.finish()  # another clock or another picture: nothing can be continued
        self._last_seconds, self._pts_seconds, self._frame_size = stream_seconds, pts_seconds, size
        self._close_long(stream_seconds)
        opened: set[str] = set()
        boxes, numbers = detections.boxes_xyxy_px.tolist(), track_numbers.tolist()
        for index in sorted(range(len(boxes)), key=lambda place: self._turn(numbers[place])):
            left, top, right, bottom = boxes[index]
            box, score = (left, top, right, bottom), float(detections.scores[index])
            tracklet = self._add_one(numbers[index], box, score, image, opened)
            if tracklet and bodies is not None:
                tracklet.bodies.add(stream_seconds, box, bodies.keypoints[index], bodies.stills[index])
        self._close_silent(stream_seconds)

    def iter_closed(self) -> Iterator[tuple[Crop, ...]]:
        """Yields the crops of each tracklet that has closed since the last call, and lets go of them."""
        while self._closed:
            yield self._closed.pop(0)

    def finish(self) -> None:
        """Closes all open tracklets; ``iter_closed()`` then gives the rest. The builder can be used on."""
        for number in list(self._open):
            self._close(number)
        self._earlier.clear()

    def _turn(self, number: int) -> int:
        """Known tracks come first, then new ones, then detections without a track."""
        if number in self._open:
            return 0
        return 1 if number >= 0 else 2

    def _add_one(self, number: int, raw_box: Box, score: float, image: Image, opened: set[str]) -> _OpenTracklet | None:
        """Adds one detection to its tracklet; None if it is left out."""
        width, height = self._frame_size
        try:
            box = clip_box(raw_box, width, height)
        except ShapeError:
            return None
        tracklet = self._open.get(number) or self._continue(number, box) or self._begin(number, box, opened)
        if tracklet is None:
            return None
        tracklet.stop_seconds, tracklet.last_box = self._last_seconds, box
        tracklet.best_score = max(tracklet.best_score, score)
        tracklet.num_detections += 1
        new = _Part(start_seconds=self._pts_seconds, stop_seconds=self._pts_seconds)
        part = tracklet.parts.setdefault(self._place.video_id, new)
        part.stop_seconds, part.num_detections = self._pts_seconds, part.num_detections + 1
        span = int((self._last_seconds - tracklet.start_seconds + _SLACK_SECONDS) / self.seconds_per_crop)
        moment = self._moment(box, score, image)
        if span not in tracklet.best or moment.quality > tracklet.best[span].quality:
            tracklet.best[span] = moment
        return tracklet

    def _begin(self, number: int, box: Box, opened: set[str]) -> _OpenTracklet | None:
        """Opens the tracklet of a new track; None for a detection without one, and for a box under a second number."""
        tracklet_id = _tracklet_id(self._place.first_id, self._pts_seconds, box)
        if number < 0 or tracklet_id in opened:
            return None
        opened.add(tracklet_id)
        self._open[number] = _OpenTracklet(
            tracklet_id=tracklet_id,
            start_seconds=self._last_seconds,
            stop_seconds=self._last_seconds,
            last_box=box,
            bodies=self._earlier.pop(number, BodyTrack()),
        )
        return self._open[number]

    def _continue(self, number: int, box: Box) -> _OpenTracklet | None:
        """Finds the tracklet of somebody who was lost here a moment ago, and gives it the new number.

        A fall changes the box so much that trackers lose the person, drop a detection or two and begin a new track.
        """
        lost = [
            (overlap_of_smaller(tracklet.last_box, box), key)
            for key, tracklet in self._open.items()
            if 0 < self._last_seconds - tracklet.stop_seconds <= LOST_SECONDS
            and tracklet.best_score >= MIN_BEST_SCORE
            and body_size(np.array(box)) < MAX_GROWTH * body_size(np.array(tracklet.last_box))
        ]
        overlap, key = max(lost, default=(-1.0, -1))
        if overlap < MIN_OVERLAP:
            return None
        if number >= 0:
            self._open[number] = self._open.pop(key)
        return self._open[number if number >= 0 else key]

    def _moment(self, box: Box, score: float, image: Image) -> _Moment:
        width, height = self._frame_size
        context = context_box(box, width, height, margin=self.margin)
        picture = limit_size(cut(image, context), self.max_crop_px)
        sharp = sharpness(picture)
        area = (box[2] - box[0]) * (box[3] - box[1])
        touches = box[0] <= 1 or box[1] <= 1 or box[2] >= width - 1 or box[3] >= height - 1
        quality = max(score, 1e-3) * math.log1p(sharp) * math.sqrt(area) * (0.6 if touches else 1.0)
        return _Moment(
            place=self._place,
            pts_seconds=self._pts_seconds,
            box=box,
            context=context,
            score=score,
            sharpness=sharp,
            quality=quality,
            image=picture,
        )

    def _close_long(self, stream_seconds: float) -> None:
        for number, tracklet in list(self._open.items()):
            if stream_seconds - tracklet.start_seconds >= self.max_tracklet_seconds:
                self._earlier[number] = tracklet.bodies.since(stream_seconds)
                self._close(number)

    def _close_silent(self, stream_seconds: float) -> None:
        """Closes those that this frame does not go on with; between glances at a still scene nobody was missed."""
        for number, tracklet in list(self._open.items()):
            if stream_seconds - tracklet.stop_seconds > self.max_gap_seconds:
                self._close(number)

    def _close(self, number: int) -> None:
        tracklet = self._open.pop(number)
        is_sure = tracklet.best_score >= self.sure_score
        if tracklet.num_detections < self.min_detections and not is_sure:
            return
        spans = [self._span(tracklet, number) for number in tracklet.best]
        moments = [moment.pts_seconds + moment.place.shift_seconds for moment in tracklet.best.values()]
        bodies = tracklet.bodies.read(moments, spans, self.sequence)
        self._closed.append(
            tuple(
                self._crop(tracklet, moment, body) for moment, body in zip(tracklet.best.values(), bodies, strict=True)
            )
        )

    def _span(self, tracklet: _OpenTracklet, number: int) -> tuple[float, float]:
        """First and last second of a span of a tracklet."""
        start = tracklet.start_seconds + number * self.seconds_per_crop - _SLACK_SECONDS
        return start, start + self.seconds_per_crop

    def _crop(self, tracklet: _OpenTracklet, moment: _Moment, body: Body | None) -> Crop:
        width, height = self._frame_size
        place, part = moment.place, tracklet.parts[moment.place.video_id]
        is_later = place.video_id != next(iter(tracklet.parts))
        return Crop(
            crop_id=_digest(tracklet.tracklet_id, f"{moment.pts_seconds:.3f}", *([place.first_id] if is_later else [])),
            tracklet_id=tracklet.tracklet_id,
            video_id=place.video_id,
            pts_seconds=moment.pts_seconds,
            box_xyxy_px=moment.box,
            context_xyxy_px=moment.context,
            frame_width_px=width,
            frame_height_px=height,
            score=moment.score,
            sharpness=moment.sharpness,
            tracklet_start_seconds=part.start_seconds,
            tracklet_stop_seconds=part.stop_seconds,
            tracklet_num_detections=part.num_detections,
            image=moment.image,
            body=body,
        )


def overlap_of_smaller(one: Box, other: Box) -> float:
    """The share of the smaller of two boxes that lies in the other."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / max(min(areas), 1e-6)


def _tracklet_id(video_id: str, start_seconds: float, box: Box) -> str:
    return _digest(video_id, f"{start_seconds:.3f}", ",".join(f"{corner:.0f}" for corner in box))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]

"""Turns videos into crops. Decoding, detection and tracking overlap, each in its own thread."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from anomalylmm.errors import VideoError
from anomalylmm.footage.motion import MotionGate
from anomalylmm.footage.sight import Sight
from anomalylmm.footage.tiles import move
from anomalylmm.footage.tracklets import TrackletBuilder
from anomalylmm.footage.zoom import Zoom, cuts_somebody
from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.vector import posture_part
from anomalylmm.protocols import FrameSource, PersonDetector, Tracker
from anomalylmm.records import Bodies, Box, Crop, CropRow, Detections, Image, Video
from flows.archives.copies import Copies
from flows.index.units.stages import each, overlapped, timed
from flows.index.units.streams import Frames, VideoEnd, iter_frames
from flows.settings.model import Settings

BATCHES_AHEAD = 2


@dataclass(slots=True, kw_only=True)
class Counts:
    """Counts of one unit, and how many seconds each of its overlapping stages worked."""

    frames: int = 0
    frames_detected: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Adds seconds to a stage."""
        self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + seconds

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Adds the time that the block takes to a stage."""
        began = time.monotonic()
        yield
        self.add(stage, time.monotonic() - began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Frames of one video with the persons found in each; the last ones come with its end."""

    frames: Frames
    looks: tuple[tuple[Image, float, Detections, Bodies | None], ...] = field(
        repr=False
    )  # (frame, pts_seconds, detections, bodies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """The crops of tracklets that have ended, and the end of a video."""

    crops: tuple[Crop, ...] = field(repr=False)
    end: VideoEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """A frame that passed the gate."""

    image: Image = field(repr=False)
    pts_seconds: float  # in its video
    stream_seconds: float
    moving: Box | None


class CropStream:
    """Turns decoded frames into crops, in two stages that can run in separate threads: ``look``, then ``follow``."""

    def __init__(
        self,
        settings: Settings,
        detector: PersonDetector,
        build_tracker: Callable[[], Tracker],
        bodies: BodyReader | None = None,
        *,
        parts: int = 1,
    ) -> None:
        self.counts, self.sight = Counts(), Sight()
        self._settings, self._detector, self._build_tracker = settings, detector, build_tracker
        self._bodies, self._parts = bodies, parts
        self._gate, self._waiting = self._build_gate(), list[_Chosen]()
        self._zoom, self._zooms = Zoom(), settings.detector.zoom and settings.gate.enabled and parts == 1
        self._tracker, self._builder = build_tracker(), self._build_tracklets()

    def look(self, frames: Frames) -> Looks:
        """Finds the persons in the frames that pass the gate, as soon as there are enough of them for the detector."""
        self._waiting += self._choose(frames)
        size = self._settings.decode.batch_frames
        number = len(self._waiting) if frames.end else len(self._waiting) // size * size
        chosen, self._waiting = self._waiting[:number], self._waiting[number:]
        pieces = [self._detect(chosen[start : start + size]) for start in range(0, number, size)]
        if frames.ends_stream:
            self._gate, self._zoom = self._build_gate(), Zoom()
        return Looks(frames=frames, looks=tuple(look for piece in pieces for look in piece))

    def follow(self, looks: Looks) -> Crops:
        """Links detections to tracklets and chooses the crops of those that have ended."""
        frames = looks.frames
        self._builder.begin_video(
            frames.video.video_id, first_id=frames.video.first_id, shift_seconds=frames.shift_seconds
        )
        with self.counts.timing("track"):
            for image, pts, persons, bodies in looks.looks:
                self._builder.add(persons, self._tracker.update(persons, image), image, pts, bodies)
        if frames.ends_stream:
            self._builder.finish()
        crops = tuple(crop for tracklet in self._builder.iter_closed() for crop in tracklet)
        if frames.ends_stream:
            self._tracker, self._builder = self._build_tracker(), self._build_tracklets()
        return Crops(crops=crops, end=frames.end)

    def _build_gate(self) -> MotionGate:
        gate = self._settings.gate
        return MotionGate(
            min_changed_share=gate.min_changed_share,
            linger_seconds=gate.linger_seconds,
            max_idle_seconds=gate.max_idle_seconds,
            max_empty_seconds=gate.max_empty_seconds,
            parts=self._parts,
        )

    def _build_tracklets(self) -> TrackletBuilder:
        cut = self._settings.tracklets
        return TrackletBuilder(
            seconds_per_crop=cut.seconds_per_crop,
            min_detections=cut.min_detections,
            sure_score=cut.sure_confidence,
            max_gap_seconds=cut.max_gap_seconds,
            max_tracklet_seconds=cut.max_tracklet_seconds,
            margin=cut.margin,
            sequence=self._bodies.head.sequence if self._bodies else None,
        )

    def _choose(self, frames: Frames) -> list[_Chosen]:
        """Returns the frames that pass the gate."""
        batch, shift = frames.batch, frames.shift_seconds
        with self.counts.timing("detect"):
            for image, pts in zip(batch.images, batch.pts_seconds, strict=True):
                self.sight.look(image, pts + shift)
            chosen = [
                _Chosen(image=image, pts_seconds=pts, stream_seconds=pts + shift, moving=self._gate.moving_box)
                for image, pts in zip(batch.images, batch.pts_seconds, strict=True)
                if not self._settings.gate.enabled or self._gate.is_moving(image, pts + shift)
            ]
        self.counts.frames += len(batch.images)
        self.counts.frames_detected += len(chosen)
        return chosen

    def _detect(self, chosen: Sequence[_Chosen]) -> Iterator[tuple[Image, float, Detections, Bodies | None]]:
        images = [item.image for item in chosen]
        with self.counts.timing("detect"):
            found = self._find(chosen)
        for item, persons in zip(chosen, found, strict=True):
            if len(persons):
                self._gate.note_somebody(item.stream_seconds)
        bodies: Sequence[Bodies | None] = [None] * len(found)
        if self._bodies:
            with self.counts.timing("pose"):
                bodies = self._bodies.read(images, found)
        return zip(images, [item.pts_seconds for item in chosen], found, bodies, strict=True)

    def _find(self, chosen: Sequence[_Chosen]) -> list[Detections]:
        """Finds the persons of frames, in the parts of them where something moves."""
        images = [item.image for item in chosen]
        if not self._zooms:
            return self._detector.detect(images)
        parts = [self._zoom.choose(item.image.shape, item.moving, item.stream_seconds) for item in chosen]
        found = self._detector.detect([part.cut(image) for part, image in zip(parts, images, strict=True)])
        for index, (item, part) in enumerate(zip(chosen, parts, strict=True)):
            if cuts_somebody(found[index], part, item.image.shape):
                found[index] = self._detector.detect([item.image])[0]
            else:
                found[index] = move(found[index], part)
            self._zoom.remember(found[index], item.image.shape, item.stream_seconds)
        return found


def iter_unit_crops(
    videos: Sequence[Video],
    archive: Path,
    stream: CropStream,
    source: FrameSource,
    sample_fps: float,
    copies: Copies | None = None,
) -> Generator[Crops, None, None]:
    """Runs decoding, detection and tracking, each in its own thread; ``copies`` is needed for remote videos only."""
    frames = timed(iter_frames(videos, archive, source, sample_fps, copies), partial(stream.counts.add, "decode"))
    decoded = overlapped(frames, ahead=BATCHES_AHEAD, name="decode")
    detected = overlapped(each(decoded, stream.look), ahead=BATCHES_AHEAD, name="detect")
    return overlapped(each(detected, stream.follow), ahead=BATCHES_AHEAD, name="track")


def build_row(video: Video, crop: Crop, vector: np.ndarray, jpeg_quality: int) -> CropRow:
    """Builds the row of a crop with its video, wall-clock time, picture and vector (D + P,)."""
    return CropRow(
        crop_id=crop.crop_id,
        tracklet_id=crop.tracklet_id,
        video_id=crop.video_id,
        video_path=video.path,
        camera=video.camera,
        pts_seconds=crop.pts_seconds,
        wall_clock_utc=video.start_utc + timedelta(seconds=crop.pts_seconds),
        clock_source=video.clock_source,
        box_xyxy_px=crop.box_xyxy_px,
        context_xyxy_px=crop.context_xyxy_px,
        frame_width_px=crop.frame_width_px,
        frame_height_px=crop.frame_height_px,
        score=crop.score,
        sharpness=crop.sharpness,
        tracklet_start_seconds=crop.tracklet_start_seconds,
        tracklet_stop_seconds=crop.tracklet_stop_seconds,
        tracklet_num_detections=crop.tracklet_num_detections,
        jpeg=write_jpeg(crop.image, jpeg_quality),
        vector=vector,
        body=crop.body,
    )


def join_vector(vector: np.ndarray, crop: Crop, dimension: int) -> np.ndarray:
    """Appends a crop's posture to the encoder's vector (D,); shape (dimension,), which is D without poses."""
    return vector if dimension == len(vector) else np.concatenate([vector, posture_part(crop.body)])


def write_jpeg(image: Image, quality: int) -> bytes:
    """Encodes an RGB image (H, W, 3)."""
    encoded: np.ndarray = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return encoded.tobytes()


def read_jpeg(jpeg: bytes) -> Image:
    """Decodes a JPEG into an RGB image (H, W, 3).

    Raises:
        VideoError: The bytes are not a valid picture.
    """
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise VideoError("a crop's picture can't be decoded; run: anomalylmm verify --deep")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)

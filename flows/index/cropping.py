"""Turns videos into crops. Decoding, detection and tracking overlap, each in its own thread."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from anomalylmm.errors import VideoError
from anomalylmm.footage.motion import MotionGate
from anomalylmm.footage.sight import Sight
from anomalylmm.footage.tracklets import TrackletBuilder
from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.vector import posture_part
from anomalylmm.protocols import DecodeSession, FrameSource, PersonDetector, Tracker
from anomalylmm.records import Bodies, Crop, CropRow, DecodeReport, Detections, FrameBatch, Image, Video, VideoHeader
from flows.index.content import modified_time_ns
from flows.index.stages import Opener, overlapped, timed
from flows.settings.model import Settings

BATCHES_AHEAD = 2
ENDING_SECONDS = 10.0  # the next video is opened this long before one ends


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEnd:
    """The end of one video: what was decoded, or why it could not be."""

    video: Video
    header: VideoHeader | None = None
    report: DecodeReport | None = None
    error: str = ""
    modified_ns: int = 0  # of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames:
    """Some frames of one video."""

    video: Video
    batch: FrameBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCrops:
    """The crops of tracklets that have ended."""

    video: Video
    crops: tuple[Crop, ...] = field(repr=False)


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
class _Opened:
    """A video that is being decoded, or why it can't be opened."""

    video: Video
    modified_ns: int
    session: DecodeSession | None = None
    error: str = ""

    def close(self) -> None:
        if self.session is not None:
            self.session.close()


def iter_decoded(
    videos: Sequence[Video], archive: Path, source: FrameSource, sample_fps: float
) -> Generator[VideoFrames | VideoEnd, None, None]:
    """Decodes videos one after another; the next one is opened before one ends.

    If a video can't be opened, the others are still decoded.
    """

    def open_one(video: Video) -> _Opened:
        opened = _Opened(video=video, modified_ns=modified_time_ns(archive / video.path) or 0)
        try:
            return replace(opened, session=source.open_session(archive / video.path, sample_fps=sample_fps))
        except VideoError as error:
            return replace(opened, error=str(error))

    with Opener(videos, open_one) as opener:
        for opened in opener:
            with closing(opened):
                yield from _iter_session(opened, opener.prepare)


def _iter_session(opened: _Opened, prepare_next: Callable[[], None]) -> Iterator[VideoFrames | VideoEnd]:
    video, session = opened.video, opened.session
    if session is None:
        yield VideoEnd(video=video, error=opened.error, modified_ns=opened.modified_ns)
        return
    duration = session.header.duration_seconds_from_header  # 0.0 if the container does not say
    for batch in session:
        if duration and batch.pts_seconds[-1] > duration - ENDING_SECONDS:
            prepare_next()
        yield VideoFrames(video=video, batch=batch)
    yield VideoEnd(video=video, header=session.header, report=session.report, modified_ns=opened.modified_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLooks:
    """Frames of one video with the detections in each."""

    video: Video
    looks: tuple[tuple[Image, float, Detections, Bodies | None], ...] = field(
        repr=False
    )  # (frame, pts_seconds, detections, bodies)


class CropStream:
    """Turns decoded frames into crops, in two stages that can run in separate threads."""

    def __init__(
        self,
        settings: Settings,
        detector: PersonDetector,
        build_tracker: Callable[[], Tracker],
        bodies: BodyReader | None = None,
        *,
        tiles: int = 1,
    ) -> None:
        self.counts, self.sight = Counts(), Sight()
        self._settings, self._detector, self._build_tracker = settings, detector, build_tracker
        self._bodies, self._tiles = bodies, tiles

    def iter_detected(
        self, decoded: Generator[VideoFrames | VideoEnd, None, None]
    ) -> Generator[VideoLooks | VideoEnd, None, None]:
        """Detects people in the frames that pass the gate; closes its source."""
        current, gate, waiting = "", self._build_gate(), list[tuple[Image, float]]()
        batch_frames = self._settings.decode.batch_frames
        with closing(decoded):
            for item in decoded:
                if item.video.video_id != current:
                    current, gate, waiting = item.video.video_id, self._build_gate(), []
                if isinstance(item, VideoEnd):
                    if waiting:
                        yield self._detect(item.video, waiting)
                    yield item
                    continue
                waiting += self._choose(item.batch, gate)
                while len(waiting) >= batch_frames:
                    yield self._detect(item.video, waiting[:batch_frames])
                    waiting = waiting[batch_frames:]

    def iter_tracked(
        self, detected: Generator[VideoLooks | VideoEnd, None, None]
    ) -> Generator[VideoCrops | VideoEnd, None, None]:
        """Links detections to tracklets and chooses their crops; closes its source."""
        current, tracker, builder = "", self._build_tracker(), self._build_tracklets("")
        with closing(detected):
            for item in detected:
                if item.video.video_id != current:
                    current = item.video.video_id
                    tracker, builder = self._build_tracker(), self._build_tracklets(item.video.first_id)
                if isinstance(item, VideoEnd):
                    builder.finish()
                    yield _closed(item.video, builder)
                    yield item
                    continue
                with self.counts.timing("track"):
                    for image, pts, persons, bodies in item.looks:
                        builder.add(persons, tracker.update(persons, image), image, pts, bodies)
                yield _closed(item.video, builder)

    def _build_gate(self) -> MotionGate:
        gate = self._settings.gate
        return MotionGate(
            min_changed_share=gate.min_changed_share,
            linger_seconds=gate.linger_seconds,
            max_idle_seconds=gate.max_idle_seconds,
            tiles=self._tiles,
        )

    def _build_tracklets(self, video_id: str) -> TrackletBuilder:
        cut = self._settings.tracklets
        return TrackletBuilder(
            video_id,
            seconds_per_crop=cut.seconds_per_crop,
            min_detections=cut.min_detections,
            sure_score=cut.sure_confidence,
            max_gap_seconds=cut.max_gap_seconds,
            max_tracklet_seconds=cut.max_tracklet_seconds,
            margin=cut.margin,
            sequence=self._bodies.head.sequence if self._bodies else None,
        )

    def _choose(self, batch: FrameBatch, gate: MotionGate) -> list[tuple[Image, float]]:
        """Returns the frames that pass the gate."""
        with self.counts.timing("detect"):
            for image, pts in zip(batch.images, batch.pts_seconds, strict=True):
                self.sight.look(image, pts)
            chosen = [
                (image, pts)
                for image, pts in zip(batch.images, batch.pts_seconds, strict=True)
                if not self._settings.gate.enabled or gate.is_moving(image, pts)
            ]
        self.counts.frames += len(batch.images)
        self.counts.frames_detected += len(chosen)
        return chosen

    def _detect(self, video: Video, chosen: Sequence[tuple[Image, float]]) -> VideoLooks:
        images = [image for image, _ in chosen]
        with self.counts.timing("detect"):
            found = self._detector.detect(images)
        bodies: Sequence[Bodies | None] = [None] * len(found)
        if self._bodies:
            with self.counts.timing("pose"):
                bodies = self._bodies.read(images, found)
        times = [pts for _, pts in chosen]
        return VideoLooks(video=video, looks=tuple(zip(images, times, found, bodies, strict=True)))


def _closed(video: Video, builder: TrackletBuilder) -> VideoCrops:
    return VideoCrops(video=video, crops=tuple(crop for tracklet in builder.iter_closed() for crop in tracklet))


def iter_unit_crops(
    videos: Sequence[Video], archive: Path, stream: CropStream, source: FrameSource, sample_fps: float
) -> Generator[VideoCrops | VideoEnd, None, None]:
    """Runs decoding, detection and tracking, each in its own thread."""
    frames = timed(iter_decoded(videos, archive, source, sample_fps), partial(stream.counts.add, "decode"))
    decoded = overlapped(frames, ahead=BATCHES_AHEAD, name="decode")
    detected = overlapped(stream.iter_detected(decoded), ahead=BATCHES_AHEAD, name="detect")
    return overlapped(stream.iter_tracked(detected), ahead=BATCHES_AHEAD, name="track")


def build_row(video: Video, crop: Crop, vector: np.ndarray, jpeg_quality: int) -> CropRow:
    """Builds the row of a crop with its video, wall-clock time, picture and vector (D + P,)."""
    return CropRow(
        crop_id=crop.crop_id,
        tracklet_id=crop.tracklet_id,
        video_id=video.video_id,
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

"""Records that packages exchange: frozen, checked, keyword-only. Imports only numpy and the errors.

Shapes: N items, Q queries, K results, D dimension, T frames, S slots, H x W pixels.
Images are RGB uint8 (H, W, 3). Boxes are ``xyxy_px``. Scores are higher-is-better.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
ClockSource = Literal["path_pattern", "path_date", "container", "container_end", "file_end", "file_time", "corrected"]
DecodeStatus = Literal["complete", "partial", "failed"]
SlotKind = Literal["action", "color", "garment", "object", "person", "place"]
MomentCut = Literal["fixed", "follow"]  # whether the frames of a moment show one place, or follow the person
UNKNOWN = "UNKNOWN"
STORED_CROPS = "stored crops"  # what a judge is shown unless it is a moment from the archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One file of the archive, identified by its content."""

    video_id: str  # hex digest of the content (cheap or full)
    path: str  # relative to the archive, POSIX separators
    camera: str
    size_bytes: int
    start_utc: datetime  # wall-clock of pts 0, aware, UTC
    clock_source: ClockSource
    time_zone: str  # IANA name, for display
    clock_doubt: str = ""  # why the start may be wrong: words of DOUBTS, separated by spaces
    grown_from: tuple[str, ...] = ()  # ids of the same recording when it was shorter, oldest first
    body_id: str = ""  # hex digest of the content after the header, which recorders write again at the end

    @property
    def first_id(self) -> str:
        """The id under which the recording was first seen; it stays the same while the file grows."""
        return self.grown_from[0] if self.grown_from else self.video_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerTime:
    """What a container says about its recording, before anything is decoded."""

    created_utc: datetime | None
    duration_seconds: float  # 0.0 if it does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoHeader:
    """What a container promises before anything is decoded."""

    width_px: int
    height_px: int
    num_frames_from_header: int  # 0 if the container does not say
    duration_seconds_from_header: float  # 0.0 if the container does not say
    average_fps: float
    codec: str
    rotation_degrees: int = 0  # clockwise turn to apply, already applied to decoded frames
    num_video_tracks: int = 1  # of which the largest is read


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBatch:
    """A few sampled frames of one video, in time order."""

    images: tuple[Image, ...] = field(repr=False)
    pts_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Checks that each frame has its time."""
        if len(self.images) != len(self.pts_seconds):
            raise ShapeError.of("pts_seconds", f"({len(self.images)},)", (len(self.pts_seconds),))


class Clip(tuple[Image, ...]):
    """Pictures of one moment in time order, each with its time; a plain sequence of views for who asks no time."""

    pts_seconds: tuple[float, ...]

    def __new__(cls, images: Iterable[Image], pts_seconds: Iterable[float]) -> Self:
        """Joins T pictures with their T times.

        Raises:
            ShapeError: Their numbers differ, or the times do not rise.
        """
        clip = super().__new__(cls, images)
        clip.pts_seconds = tuple(pts_seconds)
        if len(clip) != len(clip.pts_seconds) or any(later <= time for time, later in pairwise(clip.pts_seconds)):
            raise ShapeError(f"{len(clip)} pictures need as many rising times, but have {clip.pts_seconds}")
        return clip

    def __repr__(self) -> str:
        """Names the times and prints no picture."""
        return f"Clip(pts_seconds={self.pts_seconds})"


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentPlace:
    """A moment wanted of a video: when, and where in the frame."""

    pts_seconds: tuple[float, ...]  # rising; the frame nearest to each is wanted
    boxes_share: tuple[Box, ...]  # one for each time; of the frame's width and height, 0..1

    def __post_init__(self) -> None:
        """Checks that each time has its box."""
        if len(self.boxes_share) != len(self.pts_seconds):
            raise ShapeError.of("boxes_share", f"({len(self.pts_seconds)},)", (len(self.boxes_share),))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeReport:
    """What was decoded, compared with what the container promised."""

    status: DecodeStatus
    decoder: str  # "decord", "pyav", or "decord+pyav" after a salvage
    num_frames: int  # sampled frames delivered
    seconds_promised: float
    seconds_decoded: float
    message: str = ""

    @property
    def coverage(self) -> float:
        """Decoded share of the promised seconds, 0..1 (1.0 if nothing was promised)."""
        if self.seconds_promised <= 0:
            return 1.0 if self.num_frames else 0.0
        return min(1.0, self.seconds_decoded / self.seconds_promised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """The persons found in one frame."""

    boxes_xyxy_px: Floats = field(repr=False)  # (N, 4)
    scores: Floats = field(repr=False)  # (N,)

    def __post_init__(self) -> None:
        """Checks both shapes."""
        if self.boxes_xyxy_px.ndim != 2 or self.boxes_xyxy_px.shape[1] != 4:
            raise ShapeError.of("boxes_xyxy_px", "(N, 4)", self.boxes_xyxy_px.shape)
        if self.scores.shape != self.boxes_xyxy_px.shape[:1]:
            raise ShapeError.of("scores", f"({len(self.boxes_xyxy_px)},)", self.scores.shape)

    def __len__(self) -> int:
        """Number of persons."""
        return len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """The joints of the persons of one frame and what a still of them shows; N as the frame's ``Detections``."""

    keypoints: Floats = field(repr=False)  # (N, 17, 3): x and y in pixels of the frame, score 0..1
    stills: Floats = field(repr=False)  # (N, C): probabilities of ``posture.classes.STILLS``

    def __post_init__(self) -> None:
        """Checks both shapes."""
        if self.keypoints.ndim != 3 or self.keypoints.shape[2] != 3:
            raise ShapeError.of("keypoints", "(N, 17, 3)", self.keypoints.shape)
        if self.stills.ndim != 2 or len(self.stills) != len(self.keypoints):
            raise ShapeError.of("stills", f"({len(self.keypoints)}, C)", self.stills.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What the joints of one crop's person say."""

    keypoints: Floats = field(repr=False)  # (17, 3): x and y in pixels of the frame, score 0..1
    posture_scores: Floats = field(repr=False)  # (P,): 0..1 for each of ``posture.classes.CHANNELS``
    posture: str  # the most probable of the stills
    fall_score: float  # 0..1, how clearly a fall ends at this moment
    run_score: float  # 0..1, how clearly the person crosses the picture faster than at a walk
    trunk_angle_degrees: float  # 0 upright, 90 lying, 180 upside down
    height_ratio: float  # height of all joints over their width and height together: 1 thin and upright, 0 flat
    # 0..1, how clearly the person gets up, sits down or waves; None without a sequence head
    rise_score: float | None = None
    sit_score: float | None = None
    wave_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """One person of one frame, cut with its surroundings, before it is encoded."""

    crop_id: str  # tracklet_id + time, hashed: the same input gives the same id
    tracklet_id: str
    video_id: str  # of the video that shows it; a tracklet may go on from one video into the next
    pts_seconds: float  # in that video
    box_xyxy_px: Box  # tight box in the frame
    context_xyxy_px: Box  # what was cut, always inside the frame
    frame_width_px: int
    frame_height_px: int
    score: float  # detector's confidence
    sharpness: float  # variance of the Laplacian
    tracklet_start_seconds: float  # first and last detection of the tracklet in that video, and their number
    tracklet_stop_seconds: float
    tracklet_num_detections: int
    image: Image = field(repr=False)  # context crop, RGB
    body: Body | None = None  # None if no pose is estimated, or its joints are unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRow:
    """One row of ``crops.parquet``: a crop with its place in the world, its picture and its vector."""

    crop_id: str
    tracklet_id: str
    video_id: str
    video_path: str
    camera: str
    pts_seconds: float
    wall_clock_utc: datetime
    clock_source: ClockSource
    box_xyxy_px: Box
    context_xyxy_px: Box
    frame_width_px: int
    frame_height_px: int
    score: float
    sharpness: float
    tracklet_start_seconds: float
    tracklet_stop_seconds: float
    tracklet_num_detections: int
    jpeg: bytes = field(repr=False)  # context crop
    vector: Floats = field(repr=False)  # (D + P,): the encoder's, unit length, then posture (see ``posture.vector``)
    body: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One blank of a cloze: a span of the query's text."""

    start: int  # character offsets into the query text
    stop: int
    word: str  # canonical word asked for ("fell down" -> "falling")
    kind: SlotKind
    contrasts: tuple[str, ...] = ()  # canonical words of the same kind to compare with


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloze:
    """A query's text with its slots; ``masked`` is what the judge is shown."""

    text: str
    slots: tuple[Slot, ...]
    masked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One saved sentence describing a person and a behavior; asking something else makes a new version."""

    name: str
    text: str
    cloze: Cloze
    version: str  # hash of what changes the evidence: text, slots, cameras, window
    cameras: tuple[str, ...] = ()  # empty: all
    start_utc: datetime | None = None
    stop_utc: datetime | None = None
    daily_start: str = ""  # "22:00" local time of the camera; empty: whole day
    daily_stop: str = ""
    floor_z: float = 1.0  # lowest z-score against the gallery's background
    accept: float = 0.6  # lowest confidence of a hit
    top_n: int = 50  # candidates judged at most in one sweep
    enabled: bool = True
    calibrate: bool = True  # whether confirmed and rejected hits may raise ``accept``

    @property
    def criteria(self) -> str:
        """The settings that decide which candidates become hits, given the same evidence."""
        return f"floor {self.floor_z:g}, accept {self.accept:g}, top_n {self.top_n}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tracklet that the coarse search hands to the judge."""

    tracklet_id: str
    video_id: str
    camera: str
    crop_ids: tuple[str, ...]  # best first, different moments
    best_crop_id: str
    shard_id: str
    cosine: float
    z_score: float
    rank: int  # 0-based in the coarse order
    images: tuple[Image, ...] = field(repr=False, default=())  # context crops, as crop_ids
    posture_scores: Floats | None = field(repr=False, default=None)  # (N, P) of its crops whose joints are sure
    moment: Clip | None = None  # frames of the archive, which the judge sees in place of the images
    evidence: str = STORED_CROPS  # what the judge sees, and why it is not the moment if that was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotVerdict:
    """What the judge said about one blank."""

    word: str  # asked for
    kind: SlotKind
    answer: str  # what the judge filled in, or UNKNOWN
    match: float  # 0..1 agreement of answer and word
    probability: float  # of the word among its contrasts given the image (likelihood reading)
    prior: float  # the same without the image
    saliency: float  # 0..1 how much the image decides this slot
    posture: float | None = None  # 0..1 what the joints say of the word; None if they can't speak to it
    frames: tuple[str, ...] = ()  # likeliest word and its probability in each frame of a moment shown one by one
    absent: bool = False  # it must not be seen, and word says so: "no bag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judge's decision on one candidate, with its evidence."""

    tracklet_id: str
    accepted: bool
    confidence: float  # 0..1
    score: float  # S of knowledge-aware re-ranking
    affirm: float  # 0..1, sigmoid of the yes/no logit of the whole sentence
    slots: tuple[SlotVerdict, ...]
    reason: str  # one sentence
    judge_id: str
    num_calls: int
    seconds: float
    cached: bool = False
    evidence: str = STORED_CROPS  # what was shown, and why it was not the moment if that was asked for
    description: str = ""  # of what was shown, in the judge's own words; empty if it was not asked for any


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCandidate:
    """A candidate in its final place, with its verdict if it was judged."""

    candidate: Candidate
    rank: int  # 0-based after re-ranking
    verdict: Verdict | None


def shared_fields(kind: type, *records: object) -> dict[str, Any]:
    """The values that records have under the names of the fields of another kind of record; the first one counts."""
    names = [item.name for item in fields(kind)]
    return {name: getattr(record, name) for record in reversed(records) for name in names if hasattr(record, name)}

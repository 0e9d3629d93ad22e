"""The sections of the settings. Each setting is declared here with type, default, limits, unit and description."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.clock import MAX_DAYS


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a setting's number."""

    name: str


Seconds = Annotated[float, Unit("s")]
PixelArea = Annotated[int | None, Unit("px")]
Days = Annotated[float, Unit("days")]
DecodeWidth = Annotated[int, Unit("px"), Field(ge=0)]
ImageSize = Annotated[int, Unit("px"), Field(ge=64, multiple_of=32)]
Tiles = Annotated[int, Unit("tiles"), Field(ge=1, le=8)]
Runtime = Literal["auto", "openvino", "onnxruntime"]
GraphRuntime = Literal["auto", "onnxruntime", "torch"]
GRAPH_RUNTIME = "library that runs the model; auto: on a CPU ONNX Runtime if its folder has graphs, else torch"


class Section(BaseModel):
    """One section of the settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DecodeSettings(Section):
    """How videos are decoded."""

    sample_fps: Annotated[float, Unit("frames/s")] = Field(
        3.0, gt=0, le=60, description="frames looked at per second of video"
    )
    decoder: Literal["pyav", "decord"] = Field(
        "pyav", description="pyav reads all videos; decord reads only videos whose frames all fit in memory"
    )
    skip_still: bool = Field(True, description="in still scenes, decode only key frames; needs the gate")
    batch_frames: Annotated[int, Unit("frames")] = Field(
        8, ge=1, le=256, description="frames that are decoded and searched for people together"
    )
    stall_seconds: Seconds = Field(
        20.0,
        gt=0,
        description="time without output after which a decoder is killed; the rest of the video is then salvaged",
    )
    max_width: DecodeWidth = Field(960, description="wider frames are scaled down to this width; 0: never")
    memory_mib: Annotated[int, Unit("MiB")] = Field(
        4096, ge=0, description="memory limit for decoding one video; 0: no limit"
    )
    minutes_per_video: Annotated[float, Unit("min")] = Field(
        720.0, ge=0, description="time limit for decoding one video; 0: no limit"
    )
    max_tries: int = Field(3, ge=1, description="number of tries for an unreadable video, until the file changes")
    videos_per_run: int = Field(
        100_000, ge=1, description="new videos that one index run processes; the rest is left to the next run"
    )


class GateSettings(Section):
    """When frames of a still scene are skipped."""

    enabled: bool = Field(True, description="skip frames without motion; off: the detector sees all frames")
    min_changed_share: float = Field(
        0.002, ge=0, le=1, description="share of the picture (0 to 1) whose change counts as motion"
    )
    linger_seconds: Seconds = Field(
        2.0, ge=0, description="time after the last motion during which no frame is skipped"
    )
    max_idle_seconds: Seconds = Field(
        4.0, gt=0, description="longest time without a frame in a still scene in which somebody was seen lately"
    )
    max_empty_seconds: Seconds = Field(
        16.0,
        ge=0,
        description="longest time without a frame in a scene where nothing has moved and nobody was seen for more than "
        "a minute; without effect up to max_idle_seconds",
    )


class DetectorSettings(Section):
    """Which detector finds people, and how confident it must be."""

    family: Literal["yolo", "nanodet"] = Field(
        "nanodet", description="yolo: a model that ultralytics can load; nanodet: an ONNX file of this project"
    )
    weights: str = Field("pocket/persons", description="path or name of shipped weights")
    image_size: ImageSize = Field(
        416, description="longer side of the frame that the detector sees; larger is slower but finds smaller people"
    )
    confidence: float = Field(0.3, gt=0, lt=1, description="minimum confidence of a detection (0 to 1)")
    tiles: Tiles = Field(
        1,
        description="also search N x N overlapping parts of the frame for small people; each costs as much as the "
        "whole frame. 1: none",
    )
    zoom: bool = Field(
        True, description="look closer at the part of the frame where something moves; takes no more time"
    )
    runtime: Runtime = Field("auto", description="library that runs ONNX weights on a CPU; auto: OpenVINO if possible")


class PoseSettings(Section):
    """Which models find the joints of detected people and classify their posture."""

    family: Literal["none", "movenet", "yolo-pose"] = Field(
        "movenet",
        description="movenet: an ONNX file of this project; yolo-pose: a model that ultralytics can load; "
        "none: no joints",
    )
    weights: str = Field("pocket/pose", description="path or name of shipped weights")
    head: str = Field("pocket/posture", description="weights of the classifier of postures")
    runtime: Runtime = Field("auto", description="library that runs ONNX weights on a CPU; auto: OpenVINO if possible")


class TrackerSettings(Section):
    """Which tracker links detections."""

    name: Literal["bytetrack", "botsort"] = Field("bytetrack", description="botsort also corrects camera motion")
    start_confidence: float = Field(
        0.35,
        gt=0,
        lt=1,
        description="minimum confidence (0 to 1) to start a track; weaker detections only continue one",
    )
    reach: Annotated[float, Unit("1/s")] = Field(
        1.5, ge=0, description="share of its size by which a box is enlarged for linking, per second between frames"
    )


class TrackletSettings(Section):
    """How detections become tracklets and crops."""

    seconds_per_crop: Seconds = Field(
        1.0, gt=0, description="the best moment of each span of this length becomes a crop"
    )
    min_detections: int = Field(2, ge=1, description="tracklets with fewer detections are dropped")
    sure_confidence: float = Field(
        0.6, gt=0, le=1, description="confidence (0 to 1) of one detection that is enough to keep a short tracklet"
    )
    max_gap_seconds: Seconds = Field(2.0, gt=0, description="a tracklet ends when its person is not seen for this long")
    max_tracklet_seconds: Seconds = Field(12.0, gt=0, description="longest tracklet; after this time a new one begins")
    margin: float = Field(
        0.15, ge=0, le=2, description="margin on each side of a crop, as a share of the person's longer side"
    )


class EncoderSettings(Section):
    """Which encoder turns crops and sentences into vectors."""

    family: Literal["dual", "lmm"] = Field(
        "dual", description="dual: SigLIP or CLIP; lmm: models like Qwen3-VL-Embedding"
    )
    weights: str = Field("pocket/dual_encoder", description="path, name of shipped weights or hub name")
    batch_size: Annotated[int, Unit("crops")] = Field(16, ge=1, description="crops or sentences encoded together")
    dimension: int | None = Field(None, ge=1, description="lmm: number of leading vector components to keep")
    max_pixels: PixelArea = Field(None, ge=1, description="lmm: maximum number of pixels of a crop")
    runtime: GraphRuntime = Field("auto", description=GRAPH_RUNTIME)

    @model_validator(mode="after")
    def _check_family(self) -> "EncoderSettings":
        if self.family == "dual" and (self.dimension or self.max_pixels):
            raise ValueError('dimension and max_pixels are for family = "lmm" only; leave them out')
        if self.family == "lmm" and self.runtime == "onnxruntime":
            raise ValueError('runtime = "onnxruntime" is for family = "dual" only; leave it out')
        return self


class ShardSettings(Section):
    """How shards are made."""

    max_videos: int = Field(32, ge=1, description="maximum number of videos in one shard")
    max_bytes: Annotated[int, Unit("bytes")] = Field(
        4 << 30, ge=1 << 20, description="maximum size of all videos in one shard"
    )
    jpeg_quality: int = Field(88, ge=30, le=100, description="JPEG quality of the crops")
    at_once: int = Field(
        0,
        ge=0,
        le=64,
        description="number of shards made at once; 0: two, or one for every eight cores",
    )
    lease_seconds: Seconds = Field(
        120.0,
        ge=2,
        description="time without a sign of life from another machine, after which this one takes over its work",
    )


class CameraSettings(Section):
    """Where a path contains the camera and the time, or how the frames of a camera are searched.

    Paths that no pattern fits are read by built-in rules.
    """

    pattern: str = Field("", description="for example {camera}/{year}-{month}-{day}/{hour}-{minute}-{second}")
    name: str = Field("", description="instead of a pattern: the camera that max_width, image_size and tiles are for")
    time_zone: str = Field("", description="time zone of the times in these paths (IANA name); empty: time_zone")
    max_width: DecodeWidth | None = Field(
        None, description="decode.max_width for these videos; empty: decode.max_width"
    )
    image_size: ImageSize | None = Field(
        None, description="detector.image_size for these videos; empty: detector.image_size"
    )
    tiles: Tiles | None = Field(None, description="detector.tiles for these videos; empty: detector.tiles")

    @model_validator(mode="after")
    def _check_choice(self) -> "CameraSettings":
        if bool(self.pattern) == bool(self.name):
            raise ValueError("give each camera either a pattern of its paths or its name")
        if self.name and self.time_zone:
            raise ValueError("time_zone is for the times in paths; give a pattern instead of the name")
        return self


class CameraRetention(Section):
    """How long data of one camera is kept."""

    name: str = Field(min_length=1, description="the camera")
    days: Days = Field(ge=0, le=MAX_DAYS, description="age at which data is erased; 0: never")


class RetentionSettings(Section):
    """How long data derived from footage is kept; applied by ``erase --retention`` and the flow ``maintain``."""

    days: Days = Field(0, ge=0, le=MAX_DAYS, description="age at which data of all other cameras is erased; 0: never")
    cameras: tuple[CameraRetention, ...] = Field((), description="cameras with their own limit: name and days")

    @model_validator(mode="after")
    def _check_names(self) -> "RetentionSettings":
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ValueError(f"each camera may be named once, but the names are {', '.join(names)}")
        return self


class GapSettings(Section):
    """When footage counts as missing; the table ``gaps`` lists it."""

    min_minutes: Annotated[float, Unit("minutes")] = Field(
        5,
        ge=0,
        description="pauses shorter than this are not gaps; only cameras that normally record without a break have any",
    )
    ignore_cameras: tuple[str, ...] = Field((), description="cameras whose gaps are not reported, such as removed ones")


class NotifySettings(Section):
    """A program to notify of hits and problems; it reads one JSON document from standard input."""

    command: tuple[str, ...] = Field(
        (), description="program and arguments, run without a shell; empty: no notifications"
    )
    timeout_seconds: Seconds = Field(30.0, gt=0, le=600, description="time after which the program is stopped")
    on: tuple[Literal["hits", "degraded", "failed", "gaps", "search_hits"], ...] = Field(
        ("hits", "degraded", "failed", "gaps"), description="events to notify the program of"
    )

"""The sections of the settings: each setting with its type, default, limits, unit and meaning, declared here only."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a setting's number."""

    name: str


Seconds = Annotated[float, Unit("s")]
Pixels = Annotated[int, Unit("px")]
PixelArea = Annotated[int | None, Unit("px")]
Days = Annotated[float, Unit("days")]
Runtime = Literal["auto", "openvino", "onnxruntime"]


class Section(BaseModel):
    """A part of the settings. It is closed, so that a misspelled key is an error and is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DecodeSettings(Section):
    """How videos are decoded."""

    sample_fps: Annotated[float, Unit("frames/s")] = Field(
        3.0, gt=0, le=60, description="frames looked at per second of video"
    )
    decoder: Literal["pyav", "decord"] = Field(
        "pyav", description="decord reads only videos all of whose frames it can hold in memory, PyAV reads all"
    )
    skip_still: bool = Field(True, description="decode only the key frames of still scenes, where the gate is on")
    batch_frames: Annotated[int, Unit("frames")] = Field(
        8, ge=1, le=256, description="frames that are decoded and searched for persons together"
    )
    stall_seconds: Seconds = Field(
        20.0, gt=0, description="a decoder that is silent for so long is killed, and the rest of the video is salvaged"
    )
    max_width: Pixels = Field(960, ge=0, description="wider frames are made this wide; 0 keeps them as they are")
    memory_mib: Annotated[int, Unit("MiB")] = Field(
        4096, ge=0, description="memory that the decoder of one video may have; 0: no limit"
    )
    minutes_per_video: Annotated[float, Unit("min")] = Field(
        720.0, ge=0, description="time that the decoder of one video may take; 0: no limit"
    )
    max_tries: int = Field(3, ge=1, description="tries of an unreadable video, until its bytes change")
    videos_per_run: int = Field(
        100_000, ge=1, description="new videos that one index run takes; the others wait for the next run"
    )


class GateSettings(Section):
    """When frames of a still scene are skipped."""

    enabled: bool = Field(True, description="skip frames in which nothing moves; off: the detector sees all frames")
    min_changed_share: float = Field(
        0.002, ge=0, le=1, description="share of the picture (0 to 1) that must change to count as motion"
    )
    linger_seconds: Seconds = Field(2.0, ge=0, description="time after the last motion in which no frame is skipped")
    max_idle_seconds: Seconds = Field(4.0, gt=0, description="longest time of a still scene in which no frame is seen")


class DetectorSettings(Section):
    """Which detector finds persons, and how sure it must be."""

    family: Literal["yolo", "nanodet"] = Field(
        "nanodet", description="yolo: what ultralytics loads; nanodet: an ONNX file of this project"
    )
    weights: str = Field("pocket/persons", description="path, or name of shipped weights")
    image_size: Pixels = Field(
        416,
        ge=64,
        multiple_of=32,
        description="longer side of the frame that the detector sees; larger finds smaller persons, and is slower",
    )
    confidence: float = Field(0.3, gt=0, lt=1, description="least confidence of a detection (0 to 1)")
    runtime: Runtime = Field("auto", description="what runs ONNX weights on a CPU; auto: OpenVINO where it can")


class PoseSettings(Section):
    """Which estimator finds the joints of detected persons, and what reads their posture."""

    family: Literal["none", "movenet", "yolo-pose"] = Field("movenet", description="none: no joints and no postures")
    weights: str = Field("pocket/pose", description="path, or name of shipped weights")
    head: str = Field("pocket/posture", description="weights of the classifier that reads a posture from joints")
    runtime: Runtime = Field("auto", description="what runs ONNX weights on a CPU; auto: OpenVINO where it can")


class TrackerSettings(Section):
    """Which tracker links detections."""

    name: Literal["bytetrack", "botsort"] = Field(
        "bytetrack", description="botsort corrects the motion of the camera as well"
    )
    start_confidence: float = Field(
        0.35, gt=0, lt=1, description="least confidence (0 to 1) that begins a track; weaker ones only continue it"
    )
    reach: Annotated[float, Unit("1/s")] = Field(
        1.5, ge=0, description="share of its size by which a box grows for linking, for each second between frames"
    )


class TrackletSettings(Section):
    """How detections become tracklets and crops."""

    seconds_per_crop: Seconds = Field(1.0, gt=0, description="the best moment of each such span becomes a crop")
    min_detections: int = Field(2, ge=1, description="tracklets of fewer detections are dropped")
    sure_confidence: float = Field(
        0.6, gt=0, le=1, description="confidence (0 to 1) of one detection that keeps a tracklet of too few detections"
    )
    max_gap_seconds: Seconds = Field(2.0, gt=0, description="a tracklet ends when its person is not seen for so long")
    max_tracklet_seconds: Seconds = Field(12.0, gt=0, description="a tracklet ends after so long, and the next begins")
    margin: float = Field(
        0.15, ge=0, le=2, description="surroundings kept on each side of a crop, as a share of the person's longer side"
    )


class EncoderSettings(Section):
    """Which encoder turns crops and sentences into vectors."""

    family: Literal["dual", "lmm"] = Field("dual", description="dual: SigLIP, CLIP; lmm: Qwen3-VL-Embedding kind")
    weights: str = Field("pocket/dual_encoder", description="path, name of shipped weights, or hub name")
    batch_size: Annotated[int, Unit("crops")] = Field(16, ge=1, description="crops or sentences encoded together")
    dimension: int | None = Field(None, ge=1, description="lmm: how many first numbers of its vectors are kept")
    max_pixels: PixelArea = Field(None, ge=1, description="lmm: most pixels of a crop that it is shown")

    @model_validator(mode="after")
    def _check_family(self) -> "EncoderSettings":
        if self.family == "dual" and (self.dimension or self.max_pixels):
            raise ValueError('dimension and max_pixels are for family = "lmm" only; leave them out')
        return self


class EndpointSettings(Section):
    """An OpenAI-compatible server that judges; pictures of people are sent to it."""

    base_url: str = Field("http://127.0.0.1:8000/v1", description="the server's address up to and with /v1")
    model: str = Field("", description="the model's name there")
    api_key_env: str = Field("", description="environment variable that holds its key; empty where it wants none")
    timeout_seconds: Seconds = Field(120.0, gt=0, le=3600, description="longest time for one try of one question")
    retries: int = Field(3, ge=0, le=20, description="tries after the first, where the server is busy or out of reach")
    concurrency: int = Field(8, ge=1, le=256, description="questions under way at once")
    scoring: Literal["auto", "text", "first_token"] = Field(
        "auto",
        description="how likelihoods are asked for: text (exact), first_token (nearly all servers), "
        "auto (what the server can)",
    )
    top_logprobs: int = Field(20, ge=2, le=1000, description="likeliest tokens asked for; servers usually allow 20")


class JudgeSettings(Section):
    """Which large multi-modal model judges candidates."""

    family: Literal["transformers", "reranker", "endpoint"] = Field(
        "transformers", description="a chat model here, a yes/no re-ranker here, or a server"
    )
    weights: str = Field(
        "pocket/judge", description="path, name of shipped weights, or hub name; not used by an endpoint"
    )
    batch_size: Annotated[int, Unit("candidates")] = Field(16, ge=1, description="candidates asked about together")
    max_views: Annotated[int, Unit("images")] = Field(
        1, ge=1, le=16, description="images of one candidate that the judge is shown"
    )
    max_pixels: PixelArea = Field(None, ge=1, description="most pixels of one image that the judge is shown")
    max_new_tokens: Annotated[int, Unit("tokens")] = Field(
        48, ge=1, le=4096, description='longest answer the judge writes; about 20 a mask with masking = "judge"'
    )
    maps: bool = Field(
        False, description="show where in a picture by the judge's own gradients instead of the encoder's patches"
    )
    endpoint: EndpointSettings = EndpointSettings()

    @model_validator(mode="after")
    def _check_model(self) -> "JudgeSettings":
        if self.family == "endpoint" and not self.endpoint.model:
            raise ValueError("an endpoint needs endpoint.model, the model's name on the server")
        if self.family == "endpoint" and self.maps:
            raise ValueError("judge.maps needs a judge in this process; an endpoint gives no gradients")
        return self


class CoarseSettings(Section):
    """What the coarse search goes by beside the encoder."""

    posture_weight: float = Field(
        5.0, ge=0, description="standard deviations that a posture surely shown is worth; 0 leaves postures out"
    )


class RerankSettingsSection(Section):
    """What re-ranks: a preset of the method, and what is set otherwise (see ``anomalylmm/rerank/score.py``)."""

    preset: Literal["default", "paper"] = Field("default", description="values of all settings below that are not set")
    fusion: Literal["mean", "product"] | None = Field(
        None, description="mean: the paper's weighted mean and rank; product: probabilities and the coarse z-score"
    )
    match_weight: float | None = Field(None, ge=0, description="weight of what the judge says of the masked words")
    affirm_weight: float | None = Field(
        None, ge=0, description="weight of its yes or no to the whole sentence; 0 does not ask"
    )
    rank_weight: float | None = Field(None, ge=0, description="weight of the coarse rank in the mean")
    coarse_weight: float | None = Field(None, ge=0, description="weight of the coarse z-score in the product")
    posture_weight: float | None = Field(
        None, ge=0, le=1, description="weight of what joints say beside the judge, for behaviors that joints show"
    )
    reading: Literal["generate", "likelihood", "both"] | None = Field(
        None, description="how the judge fills a blank: generate (it writes), likelihood (it weighs given words), both"
    )
    saliency: bool | None = Field(None, description="weigh masked words by how much the picture decides them")
    focus: bool | None = Field(None, description="show the region in which the behavior shows as one more view")
    max_images: Annotated[int | None, Unit("images")] = Field(
        None, ge=1, le=16, description="moments of a candidate that are shown; judge.max_views may allow fewer"
    )
    masking: Literal["lexicon", "judge"] = Field(
        "lexicon", description="who names the words to mask in queries that name none; judge asks once and remembers"
    )
    facets: bool | None = Field(None, description="ask one yes-or-no question for each behavior too")
    pairwise: bool | None = Field(None, description="compare close neighbors two by two, in both orders")
    pair_window: float | None = Field(None, ge=0, description="difference of scores up to which neighbors are close")
    pair_margin: Annotated[float | None, Unit("logits")] = Field(
        None, ge=0, description="lead with which a pair must be won"
    )
    pair_top: int | None = Field(None, ge=2, description="first places in which pairs are compared")
    mirror: bool | None = Field(None, description="ask about each view mirrored too; steadier answers, twice the calls")
    gate: bool | None = Field(None, description="judge only candidates that could be first; others can't become hits")
    gate_margin: float | None = Field(None, ge=0, description="z-scores below the best that could still be first")
    same_cosine: float | None = Field(
        None, ge=0, le=1, description="cosine from which pictures share one judgement; 0: never"
    )
    explain: bool | None = Field(None, description="have the judge write why, for accepted candidates")
    budget_calls: int | None = Field(None, ge=0, description="questions for one query at most; 0: no limit")


class ShardSettings(Section):
    """How large one shard may grow."""

    max_videos: int = Field(32, ge=1, description="videos of one shard")
    max_bytes: Annotated[int, Unit("bytes")] = Field(4 << 30, ge=1 << 20, description="size of the videos of one shard")
    jpeg_quality: int = Field(88, ge=30, le=100, description="JPEG quality of the crops")
    at_once: int = Field(
        0, ge=0, le=64, description="shards (a camera's day each) made at once; 0: two, or one for every eight cores"
    )


class CameraSettings(Section):
    """Where a path says its camera and its wall-clock time."""

    pattern: str = Field(description="e.g. {camera}/{year}-{month}-{day}/{hour}-{minute}-{second}")
    time_zone: str = Field("UTC", description="time zone of the times in these paths, an IANA name")


class CameraRetention(Section):
    """How long the footage of one camera is kept."""

    name: str = Field(min_length=1, description="the camera")
    days: Days = Field(ge=0, le=MAX_DAYS, description="age at which it is erased; 0: never")


class RetentionSettings(Section):
    """How long what was made of footage is kept; applied by ``erase --retention`` and the flow ``maintain``."""

    days: Days = Field(0, ge=0, le=MAX_DAYS, description="age of cameras without days of their own; 0: kept for ever")
    cameras: tuple[CameraRetention, ...] = Field((), description="cameras with days of their own: name and days")

    @model_validator(mode="after")
    def _check_names(self) -> "RetentionSettings":
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ValueError(f"each camera may be named once, but given are {', '.join(names)}")
        return self


class NotifySettings(Section):
    """Which program is told of hits and trouble; it gets one JSON document on its standard input."""

    command: tuple[str, ...] = Field((), description="program and arguments, no shell; empty tells nobody")
    timeout_seconds: Seconds = Field(30.0, gt=0, le=600, description="time after which the program is ended")
    on: tuple[Literal["hits", "degraded", "failed", "search_hits"], ...] = Field(
        ("hits", "degraded", "failed"), description="what the program is told of"
    )

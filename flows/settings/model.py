"""Settings: a profile file, then a user's file, then the environment, then arguments; read in ``flows`` only."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anomalylmm.errors import ConfigurationError
from flows.settings.own_files import read_toml, show_value

PREFIX = "ANOMALYLMM_"
DEFAULT_PROFILE = "pocket"
MAX_DAYS = 36_500


class Section(BaseModel):
    """A part of the settings: closed, so that a misspelled key is an error and not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DecodeSettings(Section):
    """How videos are decoded."""

    sample_fps: float = Field(3.0, gt=0, le=60, description="frames looked at per second of video")
    decoder: Literal["pyav", "decord"] = Field(
        "pyav", description="decord reads only videos all of whose frames it can hold, PyAV reads all"
    )
    skip_still: bool = Field(True, description="of still scenes only key frames are decoded, where the gate is on")
    batch_frames: int = Field(8, ge=1, le=256)
    stall_seconds: float = Field(20.0, gt=0)
    max_width: int = Field(960, ge=0, description="wider frames are decoded smaller; 0 keeps them")
    memory_mib: int = Field(4096, ge=0, description="memory that the decoder of one video may have; 0: no limit")
    minutes_per_video: float = Field(720.0, ge=0, description="time of the decoder for one video; 0: no limit")
    max_tries: int = Field(3, ge=1, description="tries of one unreadable video, until its bytes change")
    videos_per_run: int = Field(100_000, ge=1, description="new videos of one index run; the others wait for the next")


class GateSettings(Section):
    """When a still scene is skipped."""

    enabled: bool = True
    min_changed_share: float = Field(0.002, ge=0, le=1)
    linger_seconds: float = Field(2.0, ge=0)
    max_idle_seconds: float = Field(4.0, gt=0)


class DetectorSettings(Section):
    """Which detector finds persons, and how sure it must be."""

    family: Literal["yolo", "nanodet"] = Field(
        "yolo", description="yolo: what ultralytics loads; nanodet: an ONNX file of this project"
    )
    weights: str = "pocket/detector"
    image_size: int = Field(640, ge=64, multiple_of=32)
    confidence: float = Field(0.3, gt=0, lt=1)
    runtime: Literal["auto", "openvino", "onnxruntime"] = Field(
        "auto", description="what runs ONNX weights on a CPU; auto takes OpenVINO where it can"
    )


class PoseSettings(Section):
    """Which estimator finds the joints of detected persons, and what reads their posture."""

    family: Literal["none", "movenet", "yolo-pose"] = Field("none", description="none: no joints and no postures")
    weights: str = "pocket/pose"
    head: str = Field("pocket/posture", description="the classifier that reads a posture from joints")
    runtime: Literal["auto", "openvino", "onnxruntime"] = "auto"


class TrackerSettings(Section):
    """Which tracker links detections."""

    name: Literal["bytetrack", "botsort"] = "bytetrack"
    start_confidence: float = Field(0.4, gt=0, lt=1, description="a track begins with a detection as sure as this")
    reach: float = Field(
        1.5, ge=0, description="shares of its size by which a box grows for linking, for each second between frames"
    )


class TrackletSettings(Section):
    """How detections become tracklets and crops."""

    seconds_per_crop: float = Field(1.0, gt=0, description="the best moment of each such span becomes a crop")
    min_detections: int = Field(2, ge=1)
    sure_confidence: float = Field(0.6, gt=0, le=1, description="fewer detections do where one is as sure as this")
    max_gap_seconds: float = Field(2.0, gt=0)
    max_tracklet_seconds: float = Field(12.0, gt=0)
    margin: float = Field(0.25, ge=0, le=2)


class EncoderSettings(Section):
    """Which encoder turns crops and sentences into vectors."""

    family: Literal["dual", "lmm"] = Field("dual", description="dual: SigLIP, CLIP; lmm: Qwen3-VL-Embedding kind")
    weights: str = "pocket/dual_encoder"
    batch_size: int = Field(32, ge=1)
    dimension: int | None = Field(None, ge=1, description="lmm: first numbers of its vectors that are kept")
    max_pixels: int | None = Field(None, ge=1, description="lmm: most pixels of a crop that it is shown")


class EndpointSettings(Section):
    """An OpenAI-compatible server that judges; pictures of people are sent to it."""

    base_url: str = "http://127.0.0.1:8000/v1"
    model: str = Field("", description="the model's name there")
    api_key_env: str = Field("", description="environment variable that holds its key; empty where it wants none")
    timeout_seconds: float = Field(120.0, gt=0, le=3600, description="for one try of one question")
    retries: int = Field(3, ge=0, le=20)
    concurrency: int = Field(8, ge=1, le=256, description="questions under way at once")
    scoring: Literal["auto", "text", "first_token"] = "auto"
    top_logprobs: int = Field(20, ge=2, le=1000)


class JudgeSettings(Section):
    """Which large multi-modal model judges candidates."""

    family: Literal["transformers", "reranker", "endpoint"] = "transformers"
    weights: str = Field("pocket/judge", description="not used by an endpoint")
    batch_size: int = Field(16, ge=1)
    max_views: int = Field(1, ge=1, le=16)
    max_pixels: int | None = Field(None, ge=1, description="most pixels of one image that the judge is shown")
    max_new_tokens: int = Field(
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
    """Which preset of the method re-ranks, and what of it is set otherwise (see ``anomalylmm/rerank/score.py``)."""

    preset: Literal["default", "paper"] = "default"
    fusion: Literal["mean", "product"] | None = Field(
        None, description="mean: the paper's weighted mean and rank; product: probabilities and the coarse z-score"
    )
    match_weight: float | None = Field(None, ge=0)
    affirm_weight: float | None = Field(None, ge=0, description="0 does not ask the judge for the whole sentence")
    rank_weight: float | None = Field(None, ge=0)
    coarse_weight: float | None = Field(None, ge=0, description="of the coarse z-score in the product")
    posture_weight: float | None = Field(
        None, ge=0, le=1, description="of what joints say beside the judge, for behaviors that joints show"
    )
    reading: Literal["generate", "likelihood", "both"] | None = None
    saliency: bool | None = None
    focus: bool | None = None
    max_images: int | None = Field(None, ge=1, le=16)
    masking: Literal["lexicon", "judge"] = Field(
        "lexicon", description="who names the words to mask in queries that name none; judge asks once and remembers"
    )
    facets: bool | None = Field(None, description="ask one yes-or-no question a behavior too")
    pairwise: bool | None = Field(None, description="compare close neighbors two by two, in both orders")
    pair_window: float | None = Field(None, ge=0, description="difference of scores up to which neighbors are close")
    pair_margin: float | None = Field(None, ge=0, description="logits by which a pair must be won")
    pair_top: int | None = Field(None, ge=2, description="first places in which pairs are compared")
    mirror: bool | None = Field(None, description="ask about each view mirrored too; steadier answers, twice the calls")
    gate: bool | None = Field(None, description="judge only candidates that could be first; others can't become hits")
    gate_margin: float | None = Field(None, ge=0, description="z-scores below the best that could still be first")
    same_cosine: float | None = Field(
        None, ge=0, le=1, description="cosine from which pictures share one judgement; 0 never"
    )
    explain: bool | None = Field(None, description="have the judge write why, for accepted candidates")
    budget_calls: int | None = Field(None, ge=0, description="questions for one query at most; 0 for no limit")


class ShardSettings(Section):
    """How large one shard may grow."""

    max_videos: int = Field(32, ge=1)
    max_bytes: int = Field(4 << 30, ge=1 << 20)
    jpeg_quality: int = Field(88, ge=30, le=100)
    at_once: int = Field(
        0, ge=0, le=64, description="shards (a camera's day each) made at once; 0: two, or one for every eight cores"
    )


class CameraSettings(Section):
    """Where a path says its camera and its wall-clock time."""

    pattern: str = Field(description="e.g. {camera}/{year}-{month}-{day}/{hour}-{minute}-{second}")
    time_zone: str = "UTC"


class CameraRetention(Section):
    """How long the footage of one camera is kept."""

    name: str = Field(min_length=1)
    days: float = Field(ge=0, le=MAX_DAYS, description="0 keeps it for ever")


class RetentionSettings(Section):
    """How long what was made of footage is kept; applied by ``erase --retention`` and the flow ``maintain``."""

    days: float = Field(0, ge=0, le=MAX_DAYS, description="of cameras without days of their own; 0 keeps for ever")
    cameras: tuple[CameraRetention, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> "RetentionSettings":
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ValueError(f"each camera may be named once, but given are {', '.join(names)}")
        return self


class NotifySettings(Section):
    """Which program is told of hits and trouble; it gets one JSON document on its standard input."""

    command: tuple[str, ...] = Field((), description="program and arguments, no shell; empty tells nobody")
    timeout_seconds: float = Field(30.0, gt=0, le=600)
    on: tuple[Literal["hits", "degraded", "failed", "search_hits"], ...] = ("hits", "degraded", "failed")


class Settings(Section):
    """All that decides what a run does."""

    profile: str = DEFAULT_PROFILE
    description: str = ""
    device: str = "auto"
    allow_network: bool = False
    allow_pickle: bool = False
    time_zone: str = Field("UTC", description="of cameras whose pattern names none")
    decode: DecodeSettings = DecodeSettings()
    gate: GateSettings = GateSettings()
    detector: DetectorSettings = DetectorSettings()
    pose: PoseSettings = PoseSettings()
    tracker: TrackerSettings = TrackerSettings()
    tracklets: TrackletSettings = TrackletSettings()
    encoder: EncoderSettings = EncoderSettings()
    judge: JudgeSettings = JudgeSettings()
    coarse: CoarseSettings = CoarseSettings()
    rerank: RerankSettingsSection = RerankSettingsSection()
    shards: ShardSettings = ShardSettings()
    cameras: tuple[CameraSettings, ...] = ()
    notify: NotifySettings = NotifySettings()
    retention: RetentionSettings = RetentionSettings()


def configs_folder() -> Path:
    """Finds the shipped ``configs``: inside an installed wheel, else beside the packages."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


def profile_names() -> list[str]:
    """Names the shipped profiles."""
    return sorted(path.stem for path in (configs_folder() / "profiles").glob("*.toml"))


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _read_profile(name: str) -> dict[str, Any]:
    known = profile_names()
    if name not in known:
        raise ConfigurationError(f"there is no profile {name!r}; use one of {', '.join(known)}")
    content = read_toml(configs_folder() / "profiles" / f"{name}.toml")
    parent = content.pop("extends", None)
    return _merge(_read_profile(parent), content) if parent else content


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Reads ``ANOMALYLMM_DECODE__SAMPLE_FPS=5`` as ``{"decode": {"sample_fps": "5"}}``."""
    found: dict[str, Any] = {}
    for key, value in environment.items():
        parts = key.removeprefix(PREFIX).lower().split("__")
        if not key.startswith(PREFIX) or parts[0] not in Settings.model_fields or parts[0] == "profile":
            continue
        nested: Any = value
        for part in reversed(parts):
            nested = {part: nested}
        found = _merge(found, nested)
    return found


def load_settings(
    profile: str | None = None,
    settings_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> Settings:
    """Reads the settings of one run; later sources win: profile, file, environment, arguments.

    Raises:
        ConfigurationError: A profile, file, key or value is wrong; the message names it.
    """
    environment = os.environ if environment is None else environment
    named = settings_file or (Path(environment[PREFIX + "SETTINGS"]) if environment.get(PREFIX + "SETTINGS") else None)
    user = read_toml(named) if named else {}
    name = profile or environment.get(PREFIX + "PROFILE") or user.pop("profile", None) or DEFAULT_PROFILE
    user.pop("profile", None)
    merged = _merge(_merge(_merge(_read_profile(name), user), _from_environment(environment)), overrides)
    try:
        return Settings.model_validate({**merged, "profile": name})
    except ValidationError as error:
        raise ConfigurationError(_explain(error, name, named)) from error


def _explain(error: ValidationError, profile: str, file: Path | None) -> str:
    where = f"profile {profile!r}" + (f" with {file}" if file else "")
    lines = [
        f"{'.'.join(map(str, item['loc']))}: {item['msg']} (given: {show_value(item['input'])})"
        for item in error.errors()[:5]
    ]
    return f"the settings from {where}, the environment and the arguments don't fit: " + "; ".join(lines)

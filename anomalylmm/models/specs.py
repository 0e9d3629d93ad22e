"""What adapters are built from: small records without any library."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSpec:
    """How videos are decoded."""

    batch_frames: int = 8
    stall_seconds: float = 20.0
    max_width_px: int | None = None
    memory_limit_bytes: int | None = None
    max_seconds: float | None = None
    decoder: str = "pyav"
    still_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSpec:
    """Which weights, and what may be done to find and load them."""

    weights: str
    device: str = "auto"
    allow_network: bool = False
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec(WeightsSpec):
    """Which detector, and how sure it must be."""

    family: str = "yolo"
    imgsz: int = 640
    confidence: float = 0.25
    max_detections: int = 100
    runtime: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseSpec(WeightsSpec):
    """Which estimator of joints."""

    family: str = "movenet"
    runtime: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureSpec(WeightsSpec):
    """Which head reads postures from joints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSpec:
    """Which tracker, at which frame rate."""

    name: str = "bytetrack"
    sample_fps: float
    buffer_seconds: float = 2.0
    min_score: float = 0.25
    reach_per_second: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec(WeightsSpec):
    """Which encoder of images and sentences; dimension and pixels are an embedding LMM's."""

    family: str = "dual"
    dimension: int | None = None
    max_pixels: int | None = None
    dtype: str = "auto"
    batch_size: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec(WeightsSpec):
    """Which judge."""

    family: str = "transformers"
    dtype: str = "auto"
    batch_size: int = 8
    max_views: int = 4
    max_new_tokens: int = 48
    max_pixels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """Which judge behind an OpenAI-compatible endpoint."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 120.0
    retries: int = 3
    concurrency: int = 8
    scoring: Literal["auto", "text", "first_token"] = "auto"
    top_logprobs: int = 20
    max_views: int = 4
    max_new_tokens: int = 48
    max_pixels: int | None = None

"""Builds adapters from small records; importing this loads no model library."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.weights import ResolvedWeights, WeightsKind, resolve

if TYPE_CHECKING:
    from anomalylmm.models.dual_encoder import DualEncoder
    from anomalylmm.models.frames import DecordSource
    from anomalylmm.models.judge import TransformersJudge
    from anomalylmm.models.tracker import UltralyticsTracker
    from anomalylmm.models.yolo import YoloDetector

DETECTOR_FAMILIES = ("yolo",)
JUDGE_FAMILIES = ("transformers",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSpec:
    """How videos are decoded."""

    batch_frames: int = 8
    stall_seconds: float = 20.0
    max_width_px: int | None = None
    memory_limit_bytes: int | None = None
    decoder: str = "decord"


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
    iou: float = 0.7
    max_detections: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSpec:
    """Which tracker, at which frame rate."""

    name: str = "bytetrack"
    sample_fps: float
    buffer_seconds: float = 2.0
    least_score: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec(WeightsSpec):
    """Which dual encoder."""

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


def resolve_weights(spec: WeightsSpec) -> ResolvedWeights:
    """Finds the weights of a detector, encoder or judge without loading them.

    Raises:
        WeightsError: They are missing or refused.
    """
    kinds: dict[type, WeightsKind] = {DetectorSpec: "detector", EncoderSpec: "dual_encoder", JudgeSpec: "judge"}
    kind = kinds[type(spec)]
    return resolve(spec.weights, kind, allow_network=spec.allow_network, allow_pickle=spec.allow_pickle)


def build_source(spec: DecodeSpec) -> "DecordSource":
    """Builds the decoder; nothing is started.

    Raises:
        ConfigurationError: The decoder's name is unknown.
    """
    from anomalylmm.models.frames import DecordSource

    return DecordSource(
        batch_frames=spec.batch_frames,
        stall_seconds=spec.stall_seconds,
        memory_limit_bytes=spec.memory_limit_bytes,
        max_width_px=spec.max_width_px,
        decoder=spec.decoder,
    )


def build_detector(spec: DetectorSpec) -> "YoloDetector":
    """Builds the person detector.

    Raises:
        ConfigurationError: The family or device is unknown.
        WeightsError: The weights are missing, refused or damaged.
    """
    _check_family(spec.family, DETECTOR_FAMILIES, "detector")
    weights = resolve_weights(spec)
    from anomalylmm.models.devices import choose_device
    from anomalylmm.models.yolo import YoloDetector

    return YoloDetector(
        weights,
        imgsz=spec.imgsz,
        confidence=spec.confidence,
        iou=spec.iou,
        device=str(choose_device(spec.device)),
        max_detections=spec.max_detections,
    )


def build_tracker(spec: TrackerSpec) -> "UltralyticsTracker":
    """Builds a tracker for one video.

    Raises:
        ConfigurationError: There is no tracker of that name.
    """
    from anomalylmm.models.tracker import UltralyticsTracker

    return UltralyticsTracker(
        spec.name, sample_fps=spec.sample_fps, buffer_seconds=spec.buffer_seconds, least_score=spec.least_score
    )


def build_encoder(spec: EncoderSpec) -> "DualEncoder":
    """Builds the dual encoder of images and sentences.

    Raises:
        ConfigurationError: The device or type is not to be had.
        WeightsError: The weights are missing, refused or damaged.
    """
    weights = resolve_weights(spec)
    from anomalylmm.models.dual_encoder import DualEncoder

    return DualEncoder(weights, device=spec.device, dtype=spec.dtype, batch_size=spec.batch_size)


def build_judge(spec: JudgeSpec) -> "TransformersJudge":
    """Builds the judge.

    Raises:
        ConfigurationError: The family, device or type is not to be had.
        WeightsError: The weights are missing, refused or damaged.
    """
    _check_family(spec.family, JUDGE_FAMILIES, "judge")
    weights = resolve_weights(spec)
    from anomalylmm.models.judge import TransformersJudge

    return TransformersJudge(
        weights,
        device=spec.device,
        dtype=spec.dtype,
        batch_size=spec.batch_size,
        max_views=spec.max_views,
        max_new_tokens=spec.max_new_tokens,
    )


def _check_family(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise ConfigurationError(f"there is no {kind} family {name!r}; use one of {', '.join(known)}")

"""Builds adapters from small records; importing this loads no model library."""

from typing import TYPE_CHECKING

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.specs import (
    DecodeSpec,
    DetectorSpec,
    EncoderSpec,
    EndpointSpec,
    JudgeSpec,
    PoseSpec,
    PostureSpec,
    TrackerSpec,
    WeightsSpec,
)
from anomalylmm.models.weights import ResolvedWeights, WeightsKind, resolve
from anomalylmm.posture.head import PostureHead
from anomalylmm.protocols import Judge, PatchTextMapper, PersonDetector, PoseEstimator

if TYPE_CHECKING:
    from anomalylmm.models.detect.tracker import UltralyticsTracker
    from anomalylmm.models.encode.dual_encoder import DualEncoder
    from anomalylmm.models.encode.lmm_encoder import LmmEncoder
    from anomalylmm.models.judge.endpoint import EndpointJudge
    from anomalylmm.models.judge.transformers_judge import TransformersJudge
    from anomalylmm.models.video.frames import VideoSource

__all__ = [
    "DETECTOR_FAMILIES",
    "ENCODER_FAMILIES",
    "JUDGE_FAMILIES",
    "POSE_FAMILIES",
    "DecodeSpec",
    "DetectorSpec",
    "EncoderSpec",
    "EndpointSpec",
    "JudgeSpec",
    "PoseSpec",
    "PostureSpec",
    "TrackerSpec",
    "WeightsSpec",
    "build_detector",
    "build_encoder",
    "build_endpoint",
    "build_judge",
    "build_judge_mapper",
    "build_pose",
    "build_source",
    "build_tracker",
    "detector_id",
    "encoder_id",
    "load_posture_head",
    "pose_id",
    "resolve_weights",
]

DETECTOR_FAMILIES = ("yolo", "nanodet")
POSE_FAMILIES = ("movenet", "yolo-pose")
ENCODER_FAMILIES = ("dual", "lmm")
JUDGE_FAMILIES = ("transformers", "reranker")  # with weights; an endpoint is built from its own record


def resolve_weights(spec: WeightsSpec) -> ResolvedWeights:
    """Finds the weights of a model without loading them.

    Raises:
        WeightsError: They are missing or refused.
    """
    kinds: dict[type, WeightsKind] = {
        DetectorSpec: "detector",
        PoseSpec: "pose",
        PostureSpec: "posture",
        EncoderSpec: "dual_encoder",
        JudgeSpec: "judge",
    }
    kind = kinds[type(spec)]
    return resolve(spec.weights, kind, allow_network=spec.allow_network, allow_pickle=spec.allow_pickle)


def build_source(spec: DecodeSpec) -> "VideoSource":
    """Builds the decoder; nothing is started.

    Raises:
        ConfigurationError: The decoder's name is unknown.
    """
    from anomalylmm.models.allocator import share_one_heap
    from anomalylmm.models.video.frames import VideoSource

    share_one_heap()
    return VideoSource(
        batch_frames=spec.batch_frames,
        stall_seconds=spec.stall_seconds,
        memory_limit_bytes=spec.memory_limit_bytes,
        max_seconds=spec.max_seconds,
        max_width_px=spec.max_width_px,
        decoder=spec.decoder,
        still_share=spec.still_share,
    )


def detector_id(spec: DetectorSpec) -> str:
    """Names a detector by its weights and, where it is OpenVINO, by what runs them: boxes differ by a hair.

    Raises:
        ConfigurationError: The device is unknown.
        WeightsError: The weights are missing or refused.
    """
    from anomalylmm.models.hub.devices import choose_device
    from anomalylmm.models.onnx.openvino_copy import name_by_runtime

    return name_by_runtime(resolve_weights(spec), str(choose_device(spec.device)), spec.runtime)


def build_detector(spec: DetectorSpec) -> PersonDetector:
    """Builds the person detector.

    Raises:
        ConfigurationError: The family or device is unknown.
        WeightsError: The weights are missing, refused or damaged.
    """
    _check_family(spec.family, DETECTOR_FAMILIES, "detector")
    weights = resolve_weights(spec)
    from anomalylmm.models.detect.nanodet import NanoDetDetector
    from anomalylmm.models.detect.yolo import YoloDetector
    from anomalylmm.models.hub.devices import choose_device

    detector_class = NanoDetDetector if spec.family == "nanodet" else YoloDetector
    return detector_class(
        weights,
        imgsz=spec.imgsz,
        confidence=spec.confidence,
        device=str(choose_device(spec.device)),
        runtime=spec.runtime,
        max_detections=spec.max_detections,
    )


def pose_id(spec: PoseSpec) -> str:
    """Names an estimator of joints by its weights and, where it is OpenVINO, by what runs them.

    Raises:
        ConfigurationError: The device is unknown.
        WeightsError: The weights are missing or refused.
    """
    from anomalylmm.models.hub.devices import choose_device
    from anomalylmm.models.onnx.openvino_copy import name_by_runtime

    return name_by_runtime(resolve_weights(spec), str(choose_device(spec.device)), spec.runtime)


def build_pose(spec: PoseSpec) -> PoseEstimator:
    """Builds the estimator of joints.

    Raises:
        ConfigurationError: The family or device is unknown.
        WeightsError: The weights are missing, refused or damaged.
    """
    _check_family(spec.family, POSE_FAMILIES, "pose")
    weights = resolve_weights(spec)
    from anomalylmm.models.hub.devices import choose_device
    from anomalylmm.models.pose.movenet import MoveNetPose
    from anomalylmm.models.pose.yolo_pose import YoloPose

    pose_class = YoloPose if spec.family == "yolo-pose" else MoveNetPose
    return pose_class(weights, runtime=spec.runtime, device=str(choose_device(spec.device)))


def load_posture_head(spec: PostureSpec) -> PostureHead:
    """Loads the head that reads postures from joints.

    Raises:
        WeightsError: The weights are missing, refused or damaged.
    """
    from anomalylmm.models.pose.posture_head import load_head

    return load_head(resolve_weights(spec))


def build_tracker(spec: TrackerSpec) -> "UltralyticsTracker":
    """Builds a tracker for one video.

    Raises:
        ConfigurationError: There is no tracker of that name.
    """
    from anomalylmm.models.detect.tracker import UltralyticsTracker

    return UltralyticsTracker(
        spec.name,
        sample_fps=spec.sample_fps,
        buffer_seconds=spec.buffer_seconds,
        min_score=spec.min_score,
        reach_per_second=spec.reach_per_second,
    )


def encoder_id(spec: EncoderSpec) -> str:
    """Names an encoder by all that decides its vectors, without loading it.

    Raises:
        ConfigurationError: The family is unknown, or has no dimension or pixels to set.
        WeightsError: The weights are missing or refused.
    """
    _check_encoder(spec)
    model_id = resolve_weights(spec).model_id
    kept = f"@{spec.dimension}d" if spec.dimension else ""
    return model_id + kept + (f"@{spec.max_pixels}px" if spec.max_pixels else "")


def build_encoder(spec: EncoderSpec) -> "DualEncoder | LmmEncoder":
    """Builds the encoder of images and sentences.

    Raises:
        ConfigurationError: The family, device, type, dimension or pixels are not to be had.
        WeightsError: The weights are missing, refused or damaged.
    """
    model_id = encoder_id(spec)
    weights = resolve_weights(spec)
    if spec.family == "dual":
        from anomalylmm.models.encode.dual_encoder import DualEncoder

        return DualEncoder(weights, device=spec.device, dtype=spec.dtype, batch_size=spec.batch_size)
    from anomalylmm.models.encode.lmm_encoder import LmmEncoder

    return LmmEncoder(
        weights,
        model_id=model_id,
        device=spec.device,
        dtype=spec.dtype,
        batch_size=spec.batch_size,
        dimension=spec.dimension,
        max_pixels=spec.max_pixels,
    )


def build_judge(spec: JudgeSpec) -> "TransformersJudge":
    """Builds a judge in this process.

    Raises:
        ConfigurationError: The family, device or type is not to be had, or the pixels can't be limited.
        WeightsError: The weights are missing, refused or damaged.
    """
    _check_family(spec.family, JUDGE_FAMILIES, "judge")
    weights = resolve_weights(spec)
    from anomalylmm.models.judge.reranker import RerankerJudge
    from anomalylmm.models.judge.transformers_judge import TransformersJudge

    judge_class = RerankerJudge if spec.family == "reranker" else TransformersJudge
    return judge_class(
        weights,
        device=spec.device,
        dtype=spec.dtype,
        batch_size=spec.batch_size,
        max_views=spec.max_views,
        max_new_tokens=spec.max_new_tokens,
        max_pixels=spec.max_pixels,
    )


def build_judge_mapper(judge: Judge) -> PatchTextMapper:
    """Builds what shows where in a picture a judge sees what it says yes to.

    Raises:
        ConfigurationError: The judge is not in this process.
    """
    from anomalylmm.models.judge.transformers_judge import TransformersJudge

    if not isinstance(judge, TransformersJudge):
        raise ConfigurationError("judge.maps needs a judge in this process; set judge.maps = false")
    return judge.build_mapper()


def build_endpoint(spec: EndpointSpec) -> "EndpointJudge":
    """Builds a judge that asks a server; the server is not asked yet.

    Raises:
        ConfigurationError: The address is none of a server.
    """
    from anomalylmm.models.judge.endpoint import EndpointJudge

    return EndpointJudge(
        base_url=spec.base_url,
        model=spec.model,
        api_key=spec.api_key,
        timeout_seconds=spec.timeout_seconds,
        retries=spec.retries,
        concurrency=spec.concurrency,
        scoring=spec.scoring,
        top_logprobs=spec.top_logprobs,
        max_views=spec.max_views,
        max_new_tokens=spec.max_new_tokens,
        max_pixels=spec.max_pixels,
    )


def _check_encoder(spec: EncoderSpec) -> None:
    _check_family(spec.family, ENCODER_FAMILIES, "encoder")
    if spec.family == "dual" and (spec.dimension or spec.max_pixels):
        raise ConfigurationError(
            "the encoder's dimension and max_pixels are those of an embedding LMM; leave them out, or set its family "
            'to "lmm"'
        )


def _check_family(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise ConfigurationError(f"there is no {kind} family {name!r}; use one of {', '.join(known)}")

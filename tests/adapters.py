"""Adapters with small explicit values, so that a test names only what it is about; importing it loads no torch."""

import atexit
import copy
from functools import cache
from pathlib import Path
from typing import Any

from anomalylmm.footage.motion import MotionGate
from anomalylmm.footage.tracklets import TrackletBuilder
from anomalylmm.models.detect.byte_tracker import ByteTracker
from anomalylmm.models.detect.nanodet import NanoDetDetector
from anomalylmm.models.judge.endpoint import EndpointJudge
from anomalylmm.models.pose.movenet import MoveNetPose
from anomalylmm.models.video.frames import ChildSession, VideoSource
from anomalylmm.models.weights import ResolvedWeights
from flows.composition import Composition
from flows.settings.model import Settings

JUDGE = {"batch_size": 8, "max_views": 4, "max_new_tokens": 48, "max_pixels": None}
SOURCE = {
    "batch_frames": 8,
    "stall_seconds": 20.0,
    "memory_limit_bytes": None,
    "max_seconds": None,
    "max_width_px": None,
    "decoder": "pyav",
    "still_share": None,
}
ENDPOINT = {
    "api_key": "",
    "timeout_seconds": 120.0,
    "retries": 3,
    "concurrency": 8,
    "scoring": "auto",
    "top_logprobs": 20,
    "max_views": 4,
    "max_new_tokens": 48,
    "max_pixels": None,
}
TRACKLETS = {
    "seconds_per_crop": 1.0,
    "min_detections": 2,
    "sure_score": 2.0,
    "max_gap_seconds": 2.0,
    "max_tracklet_seconds": 15.0,
    "margin": 0.25,
}
GATE = {"max_idle_seconds": 10.0, "max_empty_seconds": 0.0, "linger_seconds": 3.0, "min_changed_share": 0.001}


def compose(**sections: Any) -> Composition:
    """Composes real adapters on the CPU, with some settings changed."""
    return Composition(Settings.model_validate({"device": "cpu", **sections}))


def build_source(**changed: Any) -> VideoSource:
    """Builds a decoder without limits."""
    return VideoSource(**{**SOURCE, **changed})


@cache
def _keep_source() -> VideoSource:
    opened = build_source().keep_open()
    atexit.register(opened.__exit__, None, None, None)
    return opened.__enter__()


def open_video(path: Path, *, sample_fps: float, **changed: Any) -> ChildSession:
    """Opens a video in the process that all tests share: starting one takes longer than reading a clip."""
    source = copy.copy(_keep_source())
    vars(source).update(changed)
    return source.open_session(path, sample_fps=sample_fps)


def build_gate(**changed: Any) -> MotionGate:
    """Builds a motion gate."""
    return MotionGate(**{**GATE, **changed})


def build_tracklets(video_id: str, **changed: Any) -> TrackletBuilder:
    """Builds a collector of tracklets; no single detection is sure enough."""
    builder = TrackletBuilder(**{**TRACKLETS, **changed})
    builder.begin_video(video_id)
    return builder


def build_yolo(weights: ResolvedWeights, **changed: Any) -> Any:
    """Loads a YOLO detector on the CPU."""
    from anomalylmm.models.detect.yolo import YoloDetector

    options = {"image_size": 640, "confidence": 0.25, "runtime": "auto", "device": "cpu", **changed}
    return YoloDetector(weights, **options)


def build_nanodet(weights: ResolvedWeights, **changed: Any) -> NanoDetDetector:
    """Loads a NanoDet detector on the CPU that looks at small pictures."""
    options = {"image_size": 64, "confidence": 0.25, "runtime": "auto", "device": "cpu", **changed}
    return NanoDetDetector(weights, **options)


def build_tracker(*, sample_fps: float, **changed: Any) -> ByteTracker:
    """Builds a tracker that does not grow boxes."""
    options = {"buffer_seconds": 2.0, "min_score": 0.25, "reach_per_second": 0.0, **changed}
    return ByteTracker(sample_fps=sample_fps, **options)


def build_movenet(weights: ResolvedWeights, **changed: Any) -> MoveNetPose:
    """Loads a pose estimator on the CPU."""
    return MoveNetPose(weights, **{"runtime": "auto", "device": "cpu", **changed})


def build_dual_encoder(weights: ResolvedWeights, **changed: Any) -> Any:
    """Loads a dual encoder on the CPU."""
    from anomalylmm.models.encode.dual_encoder import DualEncoder

    return DualEncoder(weights, **{"device": "cpu", "batch_size": 32, **changed})


def build_lmm_encoder(weights: ResolvedWeights, **changed: Any) -> Any:
    """Loads an embedding LMM on the CPU."""
    from anomalylmm.models.encode.lmm_encoder import LmmEncoder

    return LmmEncoder(weights, **{"device": "cpu", "batch_size": 8, "dimension": None, "max_pixels": None, **changed})


def build_judge(weights: ResolvedWeights, **changed: Any) -> Any:
    """Loads a judge on the CPU."""
    from anomalylmm.models.judge.transformers_judge import TransformersJudge

    return TransformersJudge(weights, **{"device": "cpu", **JUDGE, **changed})


def build_reranker(weights: ResolvedWeights, **changed: Any) -> Any:
    """Loads a yes/no re-ranker on the CPU."""
    from anomalylmm.models.judge.reranker import RerankerJudge

    return RerankerJudge(weights, **{"device": "cpu", **JUDGE, **changed})


def build_endpoint(base_url: str, **changed: Any) -> EndpointJudge:
    """Builds a judge that asks a server."""
    return EndpointJudge(base_url=base_url, **{**ENDPOINT, **changed})

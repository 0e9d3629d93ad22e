"""The composition root: builds all models from the settings. Only it and `video_parts` import `anomalylmm.models`."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol

from anomalylmm.errors import ConfigurationError
from anomalylmm.footage.tiles import TiledDetector
from anomalylmm.models.hub.gpus import may_have_gpu
from anomalylmm.models.onnx.graphs import ENCODER_GRAPHS, JUDGE_GRAPHS, has_graphs
from anomalylmm.models.onnx.openvino_copy import name_by_runtime
from anomalylmm.models.weights import ResolvedWeights, WeightsKind, resolve
from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.classes import CHANNELS
from anomalylmm.protocols import (
    ImageEncoder,
    Judge,
    PatchTextMapper,
    PersonDetector,
    PoseEstimator,
    TextEncoder,
)
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.rerank.interview import Begin
from anomalylmm.rerank.prompts import GRAY
from anomalylmm.rerank.score import PRESETS, RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from flows.settings.judge_checks import check_describes, check_yes_no_only, read_key
from flows.settings.model import Settings
from flows.settings.views import FrameView
from flows.video_parts import VideoParts
from storage.shards.schema import SCHEMA_VERSION


@lru_cache(maxsize=2)
def open_composition(settings: Settings) -> "Composition":
    """Returns the composition for some settings, shared in this process so that models are loaded only once."""
    return Composition(settings)


class ImageTextEncoder(ImageEncoder, TextEncoder, PatchTextMapper, Protocol):
    """An encoder of images and texts that can also map words to places in an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Everything that decides the content of shards, and its digest."""

    description: dict[str, Any]
    digest: str


class Composition(VideoParts):
    """Builds each model once, when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def lexicon(self) -> Lexicon:
        """The lexicon of behaviors, colors and garments."""
        return Lexicon.load()

    @cached_property
    def pipeline(self) -> Pipeline:
        """The models, parameters and schema that decide the result of indexing."""
        settings = self.settings
        detection = settings.detector.model_dump(include={"image_size", "confidence", "tiles", "zoom"})
        unsaid = {"tiles": 1, "zoom": False}  # left out, so that the digests of older stores stay valid
        description = {
            "schema_version": SCHEMA_VERSION,
            **self.model_ids(),
            **settings.model_dump(
                include={
                    "decode": {"sample_fps", "max_width", "skip_still"},
                    "gate": {"enabled", "min_changed_share", "linger_seconds", "max_idle_seconds"},
                    "tracker": True,
                    "tracklets": True,
                }
            ),
            "detection": {name: value for name, value in detection.items() if unsaid.get(name) != value},
            "jpeg_quality": settings.shards.jpeg_quality,
        }
        text = json.dumps(description, sort_keys=True)
        return Pipeline(description=description, digest=hashlib.sha256(text.encode()).hexdigest()[:16])

    def model_ids(self) -> dict[str, str]:
        """Returns the ids of the models that decide the content of shards, without loading them."""
        detector, pose = self.settings.detector, self.settings.pose
        found = self._find(detector.weights, "detector")
        ids = {
            "detector": name_by_runtime(found, self._device_for(found), detector.runtime),
            "dual_encoder": self._encoder_id,
        }
        if pose.family == "none":
            return ids
        found = self._find(pose.weights, "pose")
        pose_id = name_by_runtime(found, self._device_for(found), pose.runtime)
        return {**ids, "pose": pose_id, "posture": self._find(pose.head, "posture").model_id}

    def describe_pipeline(self, view: FrameView) -> dict[str, Any]:
        """Describes the pipeline for a shard, with the camera's view if that is not the usual one."""
        description = self.pipeline.description
        return description if view == self.views.default else description | {"camera_view": view._asdict()}

    def build_detector(self, view: FrameView) -> PersonDetector:
        """Builds the detector for a view; views of one size share the model."""
        detector = self._detectors[view.image_size]
        return TiledDetector(detector, view.tiles) if view.tiles > 1 else detector

    @cached_property
    def _detectors(self) -> dict[int, PersonDetector]:
        """A detector for each size at which frames are seen."""
        usual, sizes = self.settings.detector.image_size, {view.image_size for view in self.views.all}
        return {size: self.detector if size == usual else self._load_detector(size) for size in sizes}

    @cached_property
    def detector(self) -> PersonDetector:
        """The person detector for whole frames at the usual size."""
        return self._load_detector(self.settings.detector.image_size)

    def _load_detector(self, image_size: int) -> PersonDetector:
        detector = self.settings.detector
        weights = self._find(detector.weights, "detector")
        return self._detector_class(
            weights,
            image_size=image_size,
            confidence=detector.confidence,
            runtime=detector.runtime,
            device=self._device_for(weights),
        )

    @property
    def _detector_class(self) -> Callable[..., PersonDetector]:
        if self.settings.detector.family == "nanodet":
            from anomalylmm.models.detect.nanodet import NanoDetDetector

            return NanoDetDetector
        from anomalylmm.models.detect.yolo import YoloDetector  # imports torch

        return YoloDetector

    @property
    def has_poses(self) -> bool:
        """Whether crops have joints and postures; tells it without loading their models."""
        return self.settings.pose.family != "none"

    @cached_property
    def bodies(self) -> BodyReader | None:
        """The reader of joints and postures; None if the profile has no pose model."""
        if not self.has_poses:
            return None
        pose = self.settings.pose
        from anomalylmm.models.pose.posture_head import load_head

        head = load_head(self._find(pose.head, "posture"))
        weights = self._find(pose.weights, "pose")
        estimator = self._pose_class(weights, runtime=pose.runtime, device=self._device_for(weights))
        return BodyReader(estimator, head)

    @property
    def _pose_class(self) -> Callable[..., PoseEstimator]:
        if self.settings.pose.family == "yolo-pose":
            from anomalylmm.models.pose.yolo_pose import YoloPose  # imports torch

            return YoloPose
        from anomalylmm.models.pose.movenet import MoveNetPose

        return MoveNetPose

    @property
    def dimension(self) -> int:
        """The dimension of a crop's vector: that of the encoder, plus one for each posture if poses are estimated."""
        return self.encoder.dimension + (len(CHANNELS) if self.bodies else 0)

    @cached_property
    def encoder(self) -> ImageTextEncoder:
        """The encoder of crops and sentences."""
        encoder = self.settings.encoder
        weights = self._find(encoder.weights, "dual_encoder")
        if encoder.family == "dual":
            return self._build_dual_encoder(weights)
        from anomalylmm.models.encode.lmm_encoder import LmmEncoder

        return LmmEncoder(
            weights,
            model_id=self._encoder_id,
            device=self._device,
            **encoder.model_dump(include={"batch_size", "dimension", "max_pixels"}),
        )

    def _build_dual_encoder(self, weights: ResolvedWeights) -> ImageTextEncoder:
        encoder = self.settings.encoder
        if self._runs_graphs(weights, encoder.runtime, ENCODER_GRAPHS):
            from anomalylmm.models.encode.graph_encoder import GraphEncoder

            return GraphEncoder(weights, batch_size=encoder.batch_size)
        from anomalylmm.models.encode.dual_encoder import DualEncoder

        return DualEncoder(weights, device=self._device, batch_size=encoder.batch_size)

    def _runs_graphs(self, weights: ResolvedWeights, runtime: str, names: Sequence[str]) -> bool:
        """Whether ONNX Runtime runs a model by the graphs next to its weights; it gives equal results without torch."""
        if runtime == "onnxruntime" and self.settings.device not in {"auto", "cpu"}:
            raise ConfigurationError(
                f'device is {self.settings.device!r}, but runtime = "onnxruntime" runs encoder and judge on the CPU; '
                'set runtime = "auto" or "torch"'
            )
        return runtime == "onnxruntime" or (runtime == "auto" and has_graphs(weights, names) and self._device == "cpu")

    @property
    def _encoder_id(self) -> str:
        """The encoder's id with all settings that change its vectors."""
        encoder = self.settings.encoder
        kept = f"@{encoder.dimension}d" if encoder.dimension else ""
        shown = f"@{encoder.max_pixels}px" if encoder.max_pixels else ""
        return self._find(encoder.weights, "dual_encoder").model_id + kept + shown

    def load_indexing_models(self) -> None:
        """Loads the models for indexing, before several threads use them."""
        _ = self._detectors, self.bodies
        self.encoder.encode_images([GRAY])  # some encoders load what reads pictures with the first one

    def load_searching_models(self) -> None:
        """Loads the models for searching, judging and drawing results."""
        _ = self.encoder, self.adjudicator
        self.mapper.patch_maps([GRAY], "a person")

    def forget_pictures(self) -> None:
        """Lets the judge forget what it made of pictures, which may be of footage that is erased now."""
        forget = getattr(self.__dict__.get("judge"), "forget_pictures", None)
        if forget is not None:
            forget()

    @cached_property
    def judge(self) -> Judge:
        """The judge; a server is not contacted yet."""
        judge = self.settings.judge
        if judge.family == "endpoint":
            return self._build_endpoint()
        weights = self._find(judge.weights, "judge")
        if judge.can_run_graphs and self._runs_graphs(weights, judge.runtime, JUDGE_GRAPHS):
            from anomalylmm.models.judge.graph_judge import GraphJudge

            options = judge.model_dump(include={"batch_size", "max_views", "max_new_tokens"})
            return GraphJudge(weights, **options)
        from anomalylmm.models.judge.reranker import RerankerJudge
        from anomalylmm.models.judge.transformers_judge import TransformersJudge

        judge_class = RerankerJudge if judge.family == "reranker" else TransformersJudge
        return judge_class(
            weights,
            device=self._device,
            batch_size=judge.batch_size,
            max_views=judge.max_views,
            max_pixels=judge.max_pixels,
            max_new_tokens=judge.max_new_tokens,
        )

    def _build_endpoint(self) -> Judge:
        from anomalylmm.models.judge.endpoint import EndpointJudge

        judge, endpoint = self.settings.judge, self.settings.judge.endpoint
        return EndpointJudge(
            api_key=read_key(endpoint.api_key_env),
            max_views=judge.max_views,
            max_pixels=judge.max_pixels,
            max_new_tokens=judge.max_new_tokens,
            **endpoint.model_dump(exclude={"api_key_env"}),
        )

    @cached_property
    def rerank(self) -> RerankSettings:
        """The preset for re-ranking with the changes from the settings."""
        chosen = self.settings.rerank.model_dump(exclude={"preset"}, exclude_none=True)
        return replace(PRESETS[self.settings.rerank.preset], batch_size=self.settings.judge.batch_size, **chosen)

    @cached_property
    def adjudicator(self) -> Adjudicator:
        """The three stages, with the judge of this process."""
        return self.build_adjudicator(self.judge)

    def build_adjudicator(self, judge: Judge, begin: Begin | None = None) -> Adjudicator:
        """Builds the three stages with some judge.

        Raises:
            ConfigurationError: The settings ask for more than a re-ranker or the shipped judge can do.
        """
        own = self.settings.judge
        if own.family == "reranker":
            check_yes_no_only(self.rerank)
        if own.family != "endpoint":
            is_shipped = self._find(own.weights, "judge").source == "shipped"
            check_describes(self.rerank, own.weights, is_shipped=is_shipped)
        return Adjudicator(judge, self.lexicon, self.rerank, mapper=self.mapper, begin=begin, encoder=self.encoder)

    @cached_property
    def mapper(self) -> PatchTextMapper:
        """Locates words in a picture: the encoder, or the judge with ``judge.maps``."""
        if not self.settings.judge.maps:
            return self.encoder
        from anomalylmm.models.judge.transformers_judge import TransformersJudge

        if not isinstance(self.judge, TransformersJudge):
            raise ConfigurationError("judge.maps needs a local chat model as the judge; set judge.maps = false")
        return self.judge.build_mapper()

    def _find(self, name: str, kind: WeightsKind) -> ResolvedWeights:
        settings = self.settings
        return resolve(
            name,
            kind,
            folder=settings.models_path,
            allow_network=settings.allow_network,
            allow_pickle=settings.allow_pickle,
        )

    def _device_for(self, weights: ResolvedWeights) -> str:
        """Chooses where a model runs; with device = "auto", ONNX files use a GPU only if ONNX Runtime can."""
        if self._device == "cpu" or self.settings.device != "auto" or weights.path.suffix.lower() != ".onnx":
            return self._device
        from anomalylmm.models.onnx.engine import can_use_gpu

        return self._device if can_use_gpu() else "cpu"

    @cached_property
    def _device(self) -> str:
        if self.settings.device == "cpu" or (self.settings.device == "auto" and not may_have_gpu()):
            return "cpu"
        from anomalylmm.models.hub.devices import choose_device

        return str(choose_device(self.settings.device))

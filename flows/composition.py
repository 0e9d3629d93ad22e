"""The composition root: the one place that builds models from settings. Nothing else imports ``anomalylmm.models``."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from anomalylmm.errors import ConfigurationError, WeightsError
from anomalylmm.models import registry
from anomalylmm.models.video.recorded import recorded_utc
from anomalylmm.models.weights import WeightsKind, resolve
from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.classes import CHANNELS
from anomalylmm.protocols import (
    ClipCutter,
    FrameSource,
    ImageEncoder,
    Judge,
    PatchTextMapper,
    PersonDetector,
    TextEncoder,
    Tracker,
)
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.rerank.score import PRESETS, RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from flows.settings.model import Settings
from storage.shards.schema import SCHEMA_VERSION


@lru_cache(maxsize=2)
def open_composition(settings: Settings) -> "Composition":
    """Gives this process's composition of some settings, so that its models are loaded once for all tasks."""
    return Composition(settings)


class DualEncoder(ImageEncoder, TextEncoder, PatchTextMapper, Protocol):
    """What the composition builds as encoder: images, texts and the map between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What decides the content of shards, and its digest."""

    description: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the profile and where its weights are."""

    role: str
    weights: str
    found: bool
    model_id: str = ""
    license: str = ""
    where: str = ""  # path, or what to do where it is missing

    def cells(self) -> tuple[str, str, str, str, str]:
        """Gives the row of a table."""
        return self.role, self.weights, self.model_id if self.found else "MISSING", self.license, self.where


class Composition:
    """Builds each model once, when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words of behaviors, colors and garments."""
        return Lexicon.load()

    @cached_property
    def pipeline(self) -> Pipeline:
        """All that decides what indexing an input gives: models, parameters, schema."""
        settings = self.settings
        description = {
            "schema_version": SCHEMA_VERSION,
            **self.model_ids(),
            **settings.model_dump(
                include={
                    "decode": {"sample_fps", "max_width", "skip_still"},
                    "gate": True,
                    "tracker": True,
                    "tracklets": True,
                }
            ),
            "detection": settings.detector.model_dump(include={"image_size", "confidence"}),
            "jpeg_quality": settings.shards.jpeg_quality,
        }
        text = json.dumps(description, sort_keys=True)
        return Pipeline(description=description, digest=hashlib.sha256(text.encode()).hexdigest()[:16])

    def model_ids(self) -> dict[str, str]:
        """Names the models that decide the content of shards, by the digests of their weights; loads none."""
        detector = registry.detector_id(self._detector_spec())
        ids = {"detector": detector, "dual_encoder": registry.encoder_id(self._encoder_spec())}
        if self.settings.pose.family == "none":
            return ids
        posture = registry.resolve_weights(self._head_spec()).model_id
        return {**ids, "pose": registry.pose_id(self._pose_spec()), "posture": posture}

    @cached_property
    def detector(self) -> PersonDetector:
        """The person detector."""
        return registry.build_detector(self._detector_spec())

    @cached_property
    def bodies(self) -> BodyReader | None:
        """What reads joints and postures; None where the profile estimates no poses."""
        pose = self.settings.pose
        if pose.family == "none":
            return None
        head = registry.load_posture_head(self._head_spec())
        return BodyReader(registry.build_pose(self._pose_spec()), head)

    @property
    def dimension(self) -> int:
        """Of a crop's vector: the encoder's, and a number for each posture where poses are estimated."""
        return self.encoder.dimension + (len(CHANNELS) if self.bodies else 0)

    def _pose_spec(self) -> registry.PoseSpec:
        pose = self.settings.pose
        return registry.PoseSpec(family=pose.family, runtime=pose.runtime, **self._weights(pose.weights))

    def _head_spec(self) -> registry.PostureSpec:
        return registry.PostureSpec(**self._weights(self.settings.pose.head))

    def _detector_spec(self) -> registry.DetectorSpec:
        detector = self.settings.detector
        return registry.DetectorSpec(
            family=detector.family,
            imgsz=detector.image_size,
            confidence=detector.confidence,
            runtime=detector.runtime,
            **self._weights(detector.weights),
        )

    @cached_property
    def encoder(self) -> DualEncoder:
        """The encoder of crops and sentences."""
        return registry.build_encoder(self._encoder_spec())

    def _encoder_spec(self) -> registry.EncoderSpec:
        encoder = self.settings.encoder
        return registry.EncoderSpec(
            family=encoder.family,
            batch_size=encoder.batch_size,
            dimension=encoder.dimension,
            max_pixels=encoder.max_pixels,
            **self._weights(encoder.weights),
        )

    def load_indexing_models(self) -> None:
        """Loads detector and encoder now, once, before several threads ask for them."""
        _ = self.detector, self.encoder, self.bodies

    @cached_property
    def judge(self) -> Judge:
        """The judge."""
        judge = self.settings.judge
        if judge.family == "endpoint":
            return registry.build_endpoint(self._endpoint_spec())
        return registry.build_judge(
            registry.JudgeSpec(
                family=judge.family,
                batch_size=judge.batch_size,
                max_views=judge.max_views,
                max_pixels=judge.max_pixels,
                max_new_tokens=judge.max_new_tokens,
                **self._weights(judge.weights),
            )
        )

    def _endpoint_spec(self) -> registry.EndpointSpec:
        judge, endpoint = self.settings.judge, self.settings.judge.endpoint
        return registry.EndpointSpec(
            api_key=_read_key(endpoint.api_key_env),
            max_views=judge.max_views,
            max_pixels=judge.max_pixels,
            max_new_tokens=judge.max_new_tokens,
            **endpoint.model_dump(exclude={"api_key_env"}),
        )

    @cached_property
    def adjudicator(self) -> Adjudicator:
        """The three stages, with the preset of the profile and what the settings change of it."""
        chosen = self.settings.rerank.model_dump(exclude={"preset"}, exclude_none=True)
        settings = replace(PRESETS[self.settings.rerank.preset], batch_size=self.settings.judge.batch_size, **chosen)
        if self.settings.judge.family == "reranker":
            _check_yes_no_only(settings)
        return Adjudicator(self.judge, self.lexicon, settings, mapper=self.mapper)

    @cached_property
    def mapper(self) -> PatchTextMapper:
        """What shows where in a picture a text applies: the encoder, or the judge where the settings say so."""
        return registry.build_judge_mapper(self.judge) if self.settings.judge.maps else self.encoder

    @cached_property
    def source(self) -> FrameSource:
        """The decoder."""
        decode, gate = self.settings.decode, self.settings.gate
        return registry.build_source(
            registry.DecodeSpec(
                decoder=decode.decoder,
                still_share=gate.min_changed_share / 2 if decode.skip_still and gate.enabled else None,
                batch_frames=decode.batch_frames,
                stall_seconds=decode.stall_seconds,
                max_width_px=decode.max_width or None,
                memory_limit_bytes=decode.memory_mib << 20 or None,
                max_seconds=decode.minutes_per_video * 60 or None,
            )
        )

    @cached_property
    def clips(self) -> ClipCutter:
        """What cuts clips for an export."""
        from anomalylmm.models.video.clips import VideoClips

        return VideoClips(stall_seconds=self.settings.decode.stall_seconds)

    def build_tracker(self) -> Tracker:
        """Builds a tracker for one video."""
        spec = registry.TrackerSpec(
            name=self.settings.tracker.name,
            sample_fps=self.settings.decode.sample_fps,
            buffer_seconds=self.settings.tracklets.max_gap_seconds,
            min_score=self.settings.tracker.start_confidence,
            reach_per_second=self.settings.tracker.reach,
        )
        return registry.build_tracker(spec)

    def probe_start(self, path: Path) -> datetime | None:
        """Asks a container when it was recorded; None where it does not say or can't be opened."""
        return recorded_utc(path)

    def list_models(self) -> list[ModelRow]:
        """Lists the profile's models without loading them, or asking an endpoint."""
        rows = [self._locate(role, weights) for role, weights in self._roles()]
        return [*rows, self._endpoint_row()] if self.settings.judge.family == "endpoint" else rows

    def _roles(self) -> Iterator[tuple[WeightsKind, str]]:
        yield "detector", self.settings.detector.weights
        if self.settings.pose.family != "none":
            yield "pose", self.settings.pose.weights
            yield "posture", self.settings.pose.head
        yield "dual_encoder", self.settings.encoder.weights
        if self.settings.judge.family != "endpoint":
            yield "judge", self.settings.judge.weights

    def _endpoint_row(self) -> ModelRow:
        endpoint = self.settings.judge.endpoint
        return ModelRow(
            role="judge",
            weights=endpoint.model,
            found=True,
            model_id="(endpoint)",
            license="the server's",
            where=endpoint.base_url,
        )

    def _locate(self, role: WeightsKind, weights: str) -> ModelRow:
        try:
            found = resolve(weights, role, allow_pickle=self.settings.allow_pickle)
        except WeightsError as error:
            return ModelRow(role=role, weights=weights, found=False, where=str(error))
        return ModelRow(
            role=role,
            weights=weights,
            found=True,
            model_id=f"{found.model_id} ({found.source})",
            license=found.license,
            where=str(found.path),
        )

    def _weights(self, name: str) -> dict[str, Any]:
        settings = self.settings
        return {
            "weights": name,
            "device": settings.device,
            "allow_network": settings.allow_network,
            "allow_pickle": settings.allow_pickle,
        }


def _read_key(variable: str) -> str:
    """Reads an endpoint's key; none where no variable is named.

    Raises:
        ConfigurationError: The variable is not set.
    """
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigurationError(f"judge.endpoint.api_key_env names {variable}, which is not set; export it")
    return key


def _check_yes_no_only(settings: RerankSettings) -> None:
    """Checks that a re-ranker, which says yes or no and nothing else, is asked for nothing else.

    Raises:
        ConfigurationError: It is; the message names the settings.
    """
    fitting = {"reading": "likelihood", "masking": "lexicon", "explain": False, "pairwise": False}
    wrong = [f"rerank.{name} = {json.dumps(fit)}" for name, fit in fitting.items() if getattr(settings, name) != fit]
    if wrong:
        raise ConfigurationError(
            f'a re-ranker says yes or no and writes nothing; with judge.family = "reranker" set {", ".join(wrong)}'
        )

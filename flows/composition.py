"""The composition root: the one place that builds models from settings. Nothing else imports ``anomalylmm.models``."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from anomalylmm.errors import WeightsError
from anomalylmm.judging import Adjudicator
from anomalylmm.lexicon import Lexicon
from anomalylmm.models import registry
from anomalylmm.models.recorded import recorded_utc
from anomalylmm.models.weights import WeightsKind, resolve
from anomalylmm.protocols import FrameSource, ImageEncoder, Judge, PatchTextMapper, PersonDetector, TextEncoder, Tracker
from anomalylmm.rerank import PRESETS
from flows.settings import Settings
from storage.schema import SCHEMA_VERSION


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
            **settings.model_dump(include={"decode": {"sample_fps", "max_width"}, "gate": True, "tracker": True,
                                           "tracklets": True}),
            "detection": settings.detector.model_dump(include={"image_size", "confidence"}),
            "jpeg_quality": settings.shards.jpeg_quality,
        }  # fmt: skip
        text = json.dumps(description, sort_keys=True)
        return Pipeline(description=description, digest=hashlib.sha256(text.encode()).hexdigest()[:16])

    def model_ids(self) -> dict[str, str]:
        """Names the models that decide the content of shards, by the digests of their weights; loads none."""
        named: dict[WeightsKind, str] = {
            "detector": self.settings.detector.weights,
            "dual_encoder": self.settings.encoder.weights,
        }
        allowed = {"allow_network": self.settings.allow_network, "allow_pickle": self.settings.allow_pickle}
        return {str(kind): resolve(name, kind, **allowed).model_id for kind, name in named.items()}

    @cached_property
    def detector(self) -> PersonDetector:
        """The person detector."""
        detector = self.settings.detector
        return registry.build_detector(
            registry.DetectorSpec(
                family=detector.family,
                imgsz=detector.image_size,
                confidence=detector.confidence,
                **self._weights(detector.weights),
            )
        )

    @cached_property
    def encoder(self) -> DualEncoder:
        """The dual encoder."""
        encoder = self.settings.encoder
        spec = registry.EncoderSpec(batch_size=encoder.batch_size, **self._weights(encoder.weights))
        return registry.build_encoder(spec)

    @cached_property
    def judge(self) -> Judge:
        """The judge."""
        judge = self.settings.judge
        return registry.build_judge(
            registry.JudgeSpec(
                family=judge.family,
                batch_size=judge.batch_size,
                max_views=judge.max_views,
                **self._weights(judge.weights),
            )
        )

    @cached_property
    def adjudicator(self) -> Adjudicator:
        """The three stages, with the preset of the profile and what the settings change of it."""
        chosen = self.settings.rerank.model_dump(exclude={"preset"}, exclude_none=True)
        settings = replace(PRESETS[self.settings.rerank.preset], batch_size=self.settings.judge.batch_size, **chosen)
        return Adjudicator(self.judge, self.lexicon, settings, mapper=self.encoder)

    @cached_property
    def source(self) -> FrameSource:
        """The decoder."""
        decode = self.settings.decode
        return registry.build_source(
            registry.DecodeSpec(
                batch_frames=decode.batch_frames,
                stall_seconds=decode.stall_seconds,
                max_width_px=decode.max_width or None,
            )
        )

    def build_tracker(self) -> Tracker:
        """Builds a tracker for one video."""
        spec = registry.TrackerSpec(
            name=self.settings.tracker.name,
            sample_fps=self.settings.decode.sample_fps,
            buffer_seconds=self.settings.tracklets.max_gap_seconds,
            least_score=self.settings.tracker.start_confidence,
        )
        return registry.build_tracker(spec)

    def probe_start(self, path: Path) -> datetime | None:
        """Asks a container when it was recorded; None where it does not say or can't be opened."""
        return recorded_utc(path)

    def list_models(self) -> list[ModelRow]:
        """Lists the profile's models without loading them."""
        return [self._locate(role, weights) for role, weights in self._roles()]

    def _roles(self) -> Iterator[tuple[WeightsKind, str]]:
        yield "detector", self.settings.detector.weights
        yield "dual_encoder", self.settings.encoder.weights
        yield "judge", self.settings.judge.weights

    def _locate(self, role: WeightsKind, weights: str) -> ModelRow:
        try:
            found = resolve(weights, role, allow_pickle=self.settings.allow_pickle)
        except WeightsError as error:
            return ModelRow(role=role, weights=weights, found=False, where=str(error))
        return ModelRow(
            role=role, weights=weights, found=True, model_id=f"{found.model_id} ({found.source})",
            license=found.license, where=str(found.path),
        )  # fmt: skip

    def _weights(self, name: str) -> dict[str, Any]:
        settings = self.settings
        return {
            "weights": name,
            "device": settings.device,
            "allow_network": settings.allow_network,
            "allow_pickle": settings.allow_pickle,
        }

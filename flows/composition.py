"""The composition root: the one place that builds models from settings. Nothing else imports ``anomalylmm.models``."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from anomalylmm.errors import WeightsError
from anomalylmm.lexicon import Lexicon
from anomalylmm.protocols import FrameSource, ImageEncoder, Judge, PatchTextMapper, PersonDetector, TextEncoder, Tracker
from flows.settings import Settings
from storage.schema import SCHEMA_VERSION


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
            "detector": self.detector.model_id,
            "encoder": self.encoder.model_id,
            **settings.model_dump(include={"decode": {"sample_fps", "max_width"}, "gate": True, "tracker": True,
                                           "tracklets": True}),
            "detection": settings.detector.model_dump(include={"image_size", "confidence"}),
            "jpeg_quality": settings.shards.jpeg_quality,
        }  # fmt: skip
        text = json.dumps(description, sort_keys=True)
        return Pipeline(description=description, digest=hashlib.sha256(text.encode()).hexdigest()[:16])

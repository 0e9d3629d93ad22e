"""The models of a profile: where they are, and bringing those of the hub."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalylmm.errors import WeightsError
from anomalylmm.models.hub.fetching import RemoteModel, fetch, find_remote
from anomalylmm.models.weights import WeightsKind, resolve
from flows.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the profile and where its weights are."""

    role: str
    weights: str
    found: bool
    source: str = ""
    model_id: str = ""
    license: str = ""
    where: str = ""  # path, or what to do if it is missing

    def cells(self) -> tuple[str, str, str, str, str]:
        """Returns the cells of a table row."""
        found = f"{self.model_id} ({self.source})".strip() if self.found else "MISSING"
        return self.role, self.weights, found, self.license, self.where


def list_models(settings: Settings, folder: Path | None = None) -> list[ModelRow]:
    """Lists the models of the settings without loading them or contacting a server.

    Fetched models are looked for in ``folder`` instead of that of the settings, if one is given.
    """
    folder = folder or settings.models_path
    rows = [_locate(settings, folder, role, weights) for role, weights in _roles(settings)]
    if settings.judge.family == "endpoint":
        server = settings.judge.endpoint
        rows.append(
            ModelRow(
                role="judge",
                weights=server.model,
                found=True,
                source="endpoint",
                license="the server's",
                where=server.base_url,
            )
        )
    return rows


def find_fetchable(settings: Settings, folder: Path | None = None) -> list[RemoteModel]:
    """Asks the hub for the models of the settings that are not here, each once.

    If a ``folder`` is to be filled for another computer, a copy in the cache of this one does not count.

    Raises:
        WeightsError: The hub can't be reached or does not have one of them.
    """
    here = ("local", "shipped", "fetched") if folder else ("local", "shipped", "fetched", "cache")
    rows = zip(_roles(settings), list_models(settings, folder), strict=False)
    missing = {weights: role for (role, weights), row in rows if not row.found or row.source not in here}
    return [find_remote(weights, role) for weights, role in missing.items()]


def fetch_all(models: Sequence[RemoteModel], settings: Settings, folder: Path) -> None:
    """Downloads models into a folder, checks them, and exports detectors to ONNX.

    Raises:
        WeightsError: One of them did not arrive whole, or can't be exported; those before it stay.
    """
    for model in models:
        target = fetch(model, folder)
        if model.pickle:
            from anomalylmm.models.detect.exporting import export_onnx

            source = target / model.pickle
            export_onnx(source, folder / model.name, image_size=settings.detector.image_size)
            source.unlink()


def _roles(settings: Settings) -> Iterator[tuple[WeightsKind, str]]:
    yield "detector", settings.detector.weights
    if settings.pose.family != "none":
        yield "pose", settings.pose.weights
        yield "posture", settings.pose.head
    yield "dual_encoder", settings.encoder.weights
    if settings.judge.family != "endpoint":
        yield "judge", settings.judge.weights


def _locate(settings: Settings, folder: Path, role: WeightsKind, weights: str) -> ModelRow:
    try:
        found = resolve(weights, role, folder=folder, allow_pickle=settings.allow_pickle)
    except WeightsError as error:
        return ModelRow(role=role, weights=weights, found=False, where=str(error))
    return ModelRow(
        role=role,
        weights=weights,
        found=True,
        source=found.source,
        model_id=found.model_id,
        license=found.license,
        where=str(found.path),
    )

"""One unit as it is sent to a worker, and what the worker checks before it begins."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Self

from pydantic import TypeAdapter

from anomalylmm.errors import EngineError, StoreError
from flows.composition import Composition, open_composition
from flows.index.planning import Unit
from flows.index.units.unit import UnitReport, Unreadable, index_unit
from flows.runs.progress import Listener, Silence
from flows.runs.terminal import visible
from flows.settings.model import Settings
from storage.disk.identity import find_identity, identify_store
from storage.disk.layout import StoreLayout
from storage.disk.notes import revive

_UNIT = TypeAdapter(Unit)
_loading = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitJob:
    """One unit with all that a worker on another machine needs: small plain data."""

    store: str  # absolute path, the same on all machines
    store_id: str
    archive: str  # absolute path, the same on all machines
    settings: Settings  # of the run, so that a worker's own files and environment do not matter
    pipeline_digest: str
    unit: Unit

    @property
    def name(self) -> str:
        """Camera and day, in a form that can be shown."""
        return visible(f"{self.unit.camera} {self.unit.date}")

    @property
    def megabytes(self) -> float:
        """Size of the videos."""
        return sum(video.size_bytes for video in self.unit.videos) / 1e6

    @property
    def key(self) -> str:
        """Digest of the job: the same job has the same key, whoever builds it."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()[:32]

    def to_text(self) -> str:
        """Writes the job as JSON in ASCII, whatever bytes the names of files hold."""
        plain = {name: getattr(self, name) for name in ("store", "store_id", "archive", "pipeline_digest")}
        settings, unit = self.settings.model_dump(mode="json", exclude_unset=True), asdict(self.unit)
        return json.dumps({**plain, "settings": settings, "unit": unit}, default=str)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Reads a job that ``to_text`` wrote.

        Raises:
            EngineError: The text is no job, perhaps because another version wrote it.
        """
        try:
            plain = json.loads(text)
            settings = Settings.model_validate(plain.pop("settings"))
            return cls(**plain | {"settings": settings, "unit": revive(plain["unit"], _UNIT)})
        except (ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
            raise EngineError(
                f"this is no unit of an index run: {error}; runs of index-unit are started by index runs only, and by "
                "the same version of anomalylmm"
            ) from error


def build_jobs(composition: Composition, layout: StoreLayout, archive: Path, units: Sequence[Unit]) -> list[UnitJob]:
    """Builds the jobs of an index run, whose store has its folders.

    Raises:
        StoreError: The store can't be given an id.
    """
    return [
        UnitJob(
            store=str(layout.root),
            store_id=identify_store(layout),
            archive=str(archive.absolute()),
            settings=composition.settings,
            pipeline_digest=composition.pipeline.digest,
            unit=unit,
        )
        for unit in units
    ]


def work_on(job: UnitJob, listener: Listener | None = None) -> UnitReport:
    """Makes the shard of one unit in a worker, which keeps the loaded models for the next one.

    The shard is published completely or not at all, and only once, so a job can be done again.

    Raises:
        EngineError: This machine does not see the store or the archive of the run, or has other models.
        StoreError: The store can't be written.
    """
    layout, archive = StoreLayout(Path(job.store)), Path(job.archive)
    check_store(job.store, job.store_id)
    _check_archive(archive)
    composition = _load(job.settings)
    if composition.pipeline.digest != job.pipeline_digest:
        raise EngineError(
            f"worker {os.uname().nodename} would make shards of another kind ({composition.pipeline.digest}, not "
            f"{job.pipeline_digest}): it has other models, or another device; `anomalylmm models` lists them on each "
            "machine. Install the same ones, and set device and runtimes in the settings if machines differ"
        )
    return index_unit(composition, layout, archive, job.unit, listener or Silence())


def report_lost(job: UnitJob, reason: str) -> UnitReport:
    """Returns the report of a unit that no worker could finish; the next index run tries it again."""
    unreadable = tuple(
        Unreadable(path=video.path, reason=f"not indexed: {reason}; the next index run tries it again")
        for video in job.unit.videos
    )
    return replace(UnitReport.without_work(job.unit), unreadable=unreadable)


def check_store(store: str, store_id: str) -> None:
    """Checks in a worker that a path leads to the store of the run.

    Raises:
        EngineError: It does not.
    """
    if find_identity(StoreLayout(Path(store))) != store_id:
        raise EngineError(
            f"worker {os.uname().nodename} does not see the store of this run: at {visible(store)} it has another "
            "folder, or none; mount the store under the same path on all machines"
        )


def _check_archive(archive: Path) -> None:
    """Checks that the archive is there; an empty mount point would make all videos unreadable."""
    try:
        is_there = next(archive.iterdir(), None) is not None
    except OSError:
        is_there = False
    if not is_there:
        raise EngineError(
            f"worker {os.uname().nodename} does not see the archive of this run: {visible(str(archive))} is missing "
            "or empty there; mount the archive under the same path on all machines"
        )


def _load(settings: Settings) -> Composition:
    with _loading:
        return _load_once(settings)


@lru_cache(maxsize=2)
def _load_once(settings: Settings) -> Composition:
    composition = open_composition(settings)
    composition.load_indexing_models()
    return composition

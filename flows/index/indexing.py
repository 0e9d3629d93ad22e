"""Indexes an archive: plans what is new, then makes and publishes one shard for each unit."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from anomalylmm.errors import ArchiveError, StoreBusyError
from flows.archives.files import forget_statuses
from flows.clocks.cameras import camera_from_folder
from flows.composition import Composition
from flows.index.absence import NOTHING_MISSING, Absence, explain_empty, note_absence
from flows.index.listing.archive_files import PassedOver, path_id
from flows.index.listing.content import find_erased, modified_time_ns
from flows.index.listing.identities import Identities
from flows.index.planning import Duplicate, Plan, Unit, plan_archive
from flows.index.sharing import run_shared
from flows.index.units.unit import UnitReport, Unreadable, build_quarantine_entry, index_unit
from flows.maintain.retention import build_filter
from flows.runs.at_once import choose_number, work_at_once
from flows.runs.progress import Listener, Silence
from flows.runs.recording import list_reasons, recording
from storage.disk.addresses import is_address
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.gaps import GapRecord
from storage.hits.runs import RunRecord
from storage.shards.facts import read_corrections
from storage.shards.quarantine import (
    QuarantineEntry,
    clear_quarantine,
    correct_cameras,
    read_quarantine,
    record_quarantine,
)
from storage.upkeep.erasure_log import ErasedFootage, lift_erasures
from storage.upkeep.growth import replace_outgrown

MAX_LISTED = 100  # unreadable videos listed in one notification


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """The result of an index run."""

    pipeline_digest: str
    known: int
    quarantined: int
    duplicates: tuple[Duplicate, ...]
    units: tuple[UnitReport, ...]
    unreadable: tuple[Unreadable, ...]
    seconds: float
    notes: tuple[str, ...] = ()  # what else was skipped, and what to do about it
    erased: int = 0  # videos skipped because they were erased or are older than the retention
    grown: int = 0  # videos that were indexed again because their files have grown
    passed_over: tuple[PassedOver, ...] = ()
    gaps: tuple[GapRecord, ...] = ()  # what is missing from the archive
    has_new_gaps: bool = False
    run: RunRecord | None = None

    @property
    def state(self) -> str:
        """Completed, or Degraded if something could not be read."""
        return "Degraded" if self.unreadable else "Completed"

    def total(self, name: str) -> float:
        """Returns the sum of a field over all units."""
        return float(sum(getattr(unit, name) for unit in self.units))

    @property
    def events(self) -> tuple[str, ...]:
        """The events that a notification is about."""
        return (*(["degraded"] if self.unreadable else []), *(["gaps"] if self.has_new_gaps else []))

    @property
    def notification(self) -> dict[str, Any]:
        """The values that a notification contains."""
        unreadable = [asdict(video) for video in self.unreadable[:MAX_LISTED]]
        return {
            "num_videos": int(self.total("num_videos")),
            "num_unreadable": len(self.unreadable),
            "unreadable": unreadable,
            "gaps": [asdict(gap) for gap in self.gaps[:MAX_LISTED]],
        }

    @property
    def figures(self) -> dict[str, Any]:
        """The values that the run's record contains."""
        counts = [unit.counts for unit in self.units]
        promised = self.total("promised_seconds")
        in_part = sum(video.coverage > 0 for video in self.unreadable)
        return {
            "state": self.state,
            "reasons": list_reasons(videos_not_read=len(self.unreadable) - in_part, videos_read_in_part=in_part),
            "num_videos": int(self.total("num_videos")),
            "num_unreadable": len(self.unreadable),
            "num_quarantined": self.quarantined,
            "frames_sampled": sum(item.frames for item in counts),
            "frames_detected": sum(item.frames_detected for item in counts),
            "num_tracklets": int(self.total("num_tracklets")),
            "num_crops": int(self.total("num_crops")),
            "coverage": min(1.0, self.total("video_seconds") / promised) if promised else None,
            "num_shards": sum(bool(unit.shard_id) for unit in self.units),
            "stage_seconds": {
                name: sum(item.stage_seconds.get(name, 0.0) for item in counts)
                for name in ("decode", "detect", "pose", "track", "encode", "publish")
                if any(name in item.stage_seconds for item in counts)
            },
        }


RunUnits = Callable[[Sequence[Unit]], list[UnitReport]]


def build_plan(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    *,
    retry: bool = False,
    erased: bool = False,
    only: Collection[str] | None = None,
) -> Plan:
    """Plans an index run. Videos that are in a valid shard, quarantined or erased are skipped.

    ``erased`` includes footage that was erased or is older than the retention; a later erasure removes it again.
    A quarantined video is tried again if its file has changed, or with ``retry`` up to the maximum number of tries.
    Files that can't be opened are quarantined here. Quarantine entries of files that were replaced are removed.

    Raises:
        ArchiveError: The folder does not exist or contains no video.
        ConfigurationError: No path matches the given camera patterns.
        StoreError: The quarantine can't be written.
    """
    forget_statuses(archive)
    identities = Identities(layout, archive)
    digest, max_tries = composition.pipeline.digest, composition.settings.decode.max_tries
    notes = read_quarantine(layout, digest)
    modified = {note.path: modified_time_ns(archive / note.path) for note in notes}
    waiting = [note for note in notes if not note.is_due(modified[note.path], retry=retry, max_tries=max_tries)]
    gallery, corrections = Gallery.open(layout, digest), read_corrections(layout)
    plan = plan_archive(
        archive,
        composition.settings,
        known=gallery.video_ids,
        stored=gallery.videos,
        quarantined=frozenset(note.video_id for note in waiting),
        probe_start=composition.probe_start,
        is_erased=(lambda _: False) if erased else build_filter(layout, archive, composition.settings),
        correct=corrections.apply,
        only=only,
        identify=identities.iter_ids,
    )
    identities.save(is_complete=only is None and not plan.postponed)
    if erased:
        _lift(layout, archive, plan)
    present = {video.path: video.camera for video in plan.present}

    def name_camera(path: str, camera: str) -> str:
        return present.get(path) or corrections.name(plan.cameras.get(path, camera))

    for path, reason in () if is_address(archive) else plan.unreadable:  # a server may answer the next time
        modified_ns = modified_time_ns(archive / path) or 0
        where = (path_id(path), path, name_camera(path, camera_from_folder(path)))
        entry = build_quarantine_entry(*where, pipeline_digest=digest, reason=reason, modified_ns=modified_ns)
        record_quarantine(layout, entry)
    kept = _drop_outdated(layout, notes, plan)
    correct_cameras(layout, kept, name_camera)
    ids = {video_id for _, video_id in plan.seen}
    given_up = sum(note.tries >= max_tries and note.video_id in ids for note in waiting)
    return replace(plan, given_up=given_up if retry else 0)


def _lift(layout: StoreLayout, archive: Path, plan: Plan) -> None:
    """Notes that the videos of the plan may be indexed again, with the shorter versions that were erased."""
    known = ErasedFootage.read(layout)
    videos = [video for unit in plan.units for video in unit.videos]
    shorter = [find_erased(archive / video.path, video.size_bytes, known.files_at(video.path)) for video in videos]
    lift_erasures(layout, (*(video.video_id for video in videos), *(name for names in shorter for name in names)))


def _drop_outdated(layout: StoreLayout, notes: Sequence[QuarantineEntry], plan: Plan) -> list[QuarantineEntry]:
    """Removes the entries of files whose content was replaced, unless the old content is still in the archive.

    Returns:
        The others.
    """
    paths, ids = {path for path, _ in plan.seen}, {video_id for _, video_id in plan.seen}
    gone = [note for note in notes if note.path in paths and note.video_id not in ids]
    for note in gone:
        clear_quarantine(layout, note.pipeline_digest, note.video_id)
    return [note for note in notes if note not in gone]


def index_archive(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    *,
    retry: bool = False,
    erased: bool = False,
    only: Collection[str] | None = None,
    listener: Listener | None = None,
    run_units: RunUnits | None = None,
) -> IndexReport:
    """Indexes what is new in an archive; existing shards stay unchanged.

    Args:
        composition: Models and settings.
        layout: The store.
        archive: The folder of videos.
        retry: Try again to read videos that could not be read before.
        erased: Also index footage that was erased or is older than the retention.
        only: The paths in the archive to index; by default all.
        listener: Receives the progress.
        run_units: Processes the units; by default several at once, on the engine of the settings.

    Raises:
        ArchiveError: The folder does not exist or contains no video.
        StoreError: The store can't be written.
    """
    began = time.monotonic()
    listener = listener or Silence()
    layout.create()
    layout.check_writable()
    with recording(layout, "index", listener, composition) as run:
        try:
            plan = build_plan(composition, layout, archive, retry=retry, erased=erased, only=only)
        except ArchiveError as error:
            raise explain_empty(layout, archive, error) from error
        for note in plan.notes():
            listener.warn(note)
        listener.start("index MB", plan.num_bytes / 1e6)
        is_local = composition.settings.workers.engine == "threads"
        run_here = partial(_run_in_threads if is_local else run_elsewhere, composition, layout, archive, listener)
        lease_seconds = composition.settings.shards.lease_seconds
        digest = composition.pipeline.digest
        units = run_shared(run_units or run_here, plan.units, layout, digest, lease_seconds, listener)
        notes = _replace_outgrown(layout, composition.pipeline.digest, listener)
        absence = NOTHING_MISSING if only is not None else note_absence(layout, archive, plan, composition.settings)
        for note in absence.notes:
            listener.warn(note)
        report = build_report(composition, plan, units, time.monotonic() - began, notes, absence)
        return replace(report, run=run.end(**report.figures))


def _run_in_threads(
    composition: Composition, layout: StoreLayout, archive: Path, listener: Listener, units: Sequence[Unit]
) -> list[UnitReport]:
    """Processes several units at once if the machine has enough cores; they share the models."""
    number = choose_number(composition.settings.shards.at_once, len(units))

    def work(unit: Unit, stop: Event) -> UnitReport:
        return index_unit(composition, layout, archive, unit, listener, stop)

    if number > 1:
        composition.load_indexing_models()
    return work_at_once(work, units, number)


def run_elsewhere(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    listener: Listener,
    units: Sequence[Unit],
    submit: Callable[[Any, Any], Any] | None = None,
) -> list[UnitReport]:
    """Processes the units by the engine that the settings name; ``submit`` gives it a job in another way than usual."""
    from flows.workers.engines import open_engine  # imports Prefect, which takes a second
    from flows.workers.jobs import build_jobs, work_on
    from flows.workers.pools import index_in_pool
    from flows.workers.spreading import gather

    if not units:
        return []
    jobs, workers = build_jobs(composition, layout, archive, units), composition.settings.workers
    if workers.engine == "pool":
        return index_in_pool(jobs, workers.queue, listener)
    with open_engine(composition.settings, len(units)) as engine:
        start = partial(submit, engine) if submit else partial(engine.submit, work_on)
        return gather(engine, jobs, start, listener)


def _replace_outgrown(layout: StoreLayout, pipeline_digest: str, listener: Listener) -> tuple[str, ...]:
    """Removes the shorter versions of files that have grown; while a sweep is running, that is left to a later run."""
    try:
        replace_outgrown(layout, pipeline_digest)
    except StoreBusyError:
        note = "files have grown, but another process is writing; the next index run or sweep shows their new parts"
        listener.warn(note)
        return (note,)
    return ()


def build_report(
    composition: Composition,
    plan: Plan,
    units: Sequence[UnitReport],
    seconds: float,
    notes: tuple[str, ...] = (),
    absence: Absence = NOTHING_MISSING,
) -> IndexReport:
    """Combines the reports of a plan's units with what is missing; ``notes`` are added to those of the plan."""
    lost = [Unreadable(path=path, reason=reason) for path, reason in plan.unreadable]
    return IndexReport(
        pipeline_digest=composition.pipeline.digest,
        known=plan.known,
        quarantined=plan.quarantined,
        duplicates=plan.duplicates,
        units=tuple(units),
        unreadable=(*lost, *(item for unit in units for item in unit.unreadable)),
        seconds=seconds,
        notes=(
            *plan.notes(),
            *plan.remarks(),
            *notes,
            *dict.fromkeys(note for unit in units for note in unit.notes),  # those on a camera come with each day
            *absence.notes,
        ),
        grown=plan.grown,
        erased=plan.erased,
        passed_over=plan.passed_over,
        gaps=absence.gaps,
        has_new_gaps=absence.is_new,
    )

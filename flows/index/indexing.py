"""Indexing an archive: plan what is new, then make and publish one shard a unit. Called by the CLI and by Prefect."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from anomalylmm.records import Crop, Video
from flows.composition import Composition
from flows.index.archive_files import path_id
from flows.index.cropping import Counts, CropStream, VideoCrops, VideoEnd, build_row, iter_unit_crops, join_vector
from flows.index.planning import Plan, Unit, modified_time_ns, plan_archive, utc_now
from flows.index.wallclock import camera_from_folder
from flows.maintain.retention import build_filter
from flows.runs.at_once import choose_number, until_stopped, work_at_once
from flows.runs.progress import Listener, Silence
from flows.runs.recording import index_figures, recording
from storage.disk.layout import ShardKey, StoreLayout, make_shard_id
from storage.gallery.gallery import Gallery
from storage.hits.runs import RunRecord
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.quarantine import QuarantineEntry, clear_quarantine, read_quarantine, record_quarantine
from storage.shards.writer import ShardWriter
from storage.upkeep.erasure import withdraw_erased
from storage.upkeep.erasure_log import lift_erasures


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """One video that could not be read whole, and why."""

    path: str
    reason: str
    coverage: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReport:
    """What came of one unit."""

    camera: str
    date: str
    shard_id: str  # empty where no video of the unit could be read
    num_videos: int
    num_tracklets: int
    num_crops: int
    video_seconds: float
    seconds: float
    counts: Counts
    unreadable: tuple[Unreadable, ...]
    promised_seconds: float = 0.0  # by the containers of the videos that were read


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What came of an index run."""

    pipeline_digest: str
    known: int
    quarantined: int
    duplicates: tuple[tuple[str, str], ...]
    units: tuple[UnitReport, ...]
    unreadable: tuple[Unreadable, ...]
    seconds: float
    notes: tuple[str, ...] = ()  # what else was left out, and what to do about it
    erased: int = 0  # videos passed over because they were erased or are older than the retention
    run: RunRecord | None = None

    @property
    def state(self) -> str:
        """Completed, or Degraded where something could not be read."""
        return "Degraded" if self.unreadable else "Completed"

    def total(self, name: str) -> float:
        """Sums a number of all units."""
        return float(sum(getattr(unit, name) for unit in self.units))


@dataclass(slots=True, kw_only=True)
class _Tally:
    entries: list[VideoEntry] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    tracklets: set[str] = field(default_factory=set)
    num_crops: int = 0


def build_plan(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    *,
    retry: bool = False,
    erased: bool = False,
    only: Collection[str] | None = None,
) -> Plan:
    """Plans an index run: what valid shards hold, what is quarantined and what was erased is left out.

    ``erased`` takes in what was erased and what is older than the retention; an erasure to come takes it again.
    A quarantined video is planned again where its file has changed, and with ``retry`` until it has had its tries.
    What can't even be opened as a file is quarantined here, and notes of files that are others now are dropped.

    Raises:
        ArchiveError: There is no such folder, or no video in it.
        ConfigurationError: No path fits the camera patterns given.
        StoreError: The quarantine can't be written.
    """
    digest, max_tries = composition.pipeline.digest, composition.settings.decode.max_tries
    notes = read_quarantine(layout, digest)
    waiting = [note for note in notes if not _is_due(note, archive, retry=retry, max_tries=max_tries)]
    plan = plan_archive(
        archive,
        composition.settings,
        known=Gallery.open(layout, digest).video_ids,
        quarantined=frozenset(note.video_id for note in waiting),
        probe_start=composition.probe_start,
        is_erased=(lambda _: False) if erased else build_filter(layout, composition.settings),
        only=only,
    )
    lift_erasures(layout, (video.video_id for unit in plan.units for video in unit.videos) if erased else ())
    for path, reason in plan.unreadable:
        record_quarantine(layout, _unopened_entry(path, archive, digest, reason))
    _drop_outdated(layout, notes, plan)
    ids = {video_id for _, video_id in plan.seen}
    given_up = sum(note.tries >= max_tries and note.video_id in ids for note in waiting)
    return replace(plan, given_up=given_up if retry else 0)


def _is_due(note: QuarantineEntry, archive: Path, *, retry: bool, max_tries: int) -> bool:
    return note.is_due(modified_time_ns(archive / note.path), retry=retry, max_tries=max_tries)


def _drop_outdated(layout: StoreLayout, notes: Sequence[QuarantineEntry], plan: Plan) -> None:
    """Removes the notes of paths where another content lies now, unless the old one lies elsewhere still."""
    paths, ids = {path for path, _ in plan.seen}, {video_id for _, video_id in plan.seen}
    for note in notes:
        if note.path in paths and note.video_id not in ids:
            clear_quarantine(layout, note.pipeline_digest, note.video_id)


def _unopened_entry(path: str, archive: Path, pipeline_digest: str, reason: str) -> QuarantineEntry:
    now = utc_now()
    return QuarantineEntry(
        video_id=path_id(path),
        pipeline_digest=pipeline_digest,
        path=path,
        camera=camera_from_folder(path),
        size_bytes=0,
        reason=reason,
        tries=1,
        first_utc=now,
        last_utc=now,
        modified_ns=modified_time_ns(archive / path) or 0,
    )


def index_archive(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    *,
    retry: bool = False,
    erased: bool = False,
    only: Collection[str] | None = None,
    listener: Listener | None = None,
) -> IndexReport:
    """Indexes what is new in an archive (``only`` some paths in it, where given); what is indexed is not touched.

    Raises:
        ArchiveError: There is no such folder, or no video in it.
        StoreError: The store can't be written.
    """
    began = time.monotonic()
    listener = listener or Silence()
    layout.create()
    layout.check_writable()
    with recording(layout, "index", listener, composition) as run:
        plan = build_plan(composition, layout, archive, retry=retry, erased=erased, only=only)
        for note in plan.notes():
            listener.warn(note)
        listener.start("index MB", plan.num_bytes / 1e6)
        units = index_units(composition, layout, archive, plan.units, listener)
        report = build_report(composition, plan, units, time.monotonic() - began)
        return replace(report, run=run.end(**index_figures(report)))


def index_units(
    composition: Composition, layout: StoreLayout, archive: Path, units: Sequence[Unit], listener: Listener
) -> list[UnitReport]:
    """Indexes some units, several at once where the machine has the cores; models are shared."""
    number = choose_number(composition.settings.shards.at_once, len(units))

    def work(unit: Unit, stop: Event) -> UnitReport:
        return index_unit(composition, layout, archive, unit, listener, stop)

    if number > 1:
        composition.load_indexing_models()
    return work_at_once(work, units, number)


def build_report(composition: Composition, plan: Plan, units: Sequence[UnitReport], seconds: float) -> IndexReport:
    """Joins what came of a plan's units."""
    lost = [Unreadable(path=path, reason=reason) for path, reason in plan.unreadable]
    return IndexReport(
        pipeline_digest=composition.pipeline.digest,
        known=plan.known,
        quarantined=plan.quarantined,
        duplicates=plan.duplicates,
        units=tuple(units),
        unreadable=(*lost, *(item for unit in units for item in unit.unreadable)),
        seconds=seconds,
        notes=plan.notes(),
        erased=plan.erased,
    )


def index_unit(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    unit: Unit,
    listener: Listener,
    stop: Event | None = None,
) -> UnitReport:
    """Makes and publishes the shard of one unit; nothing is published where no video could be read.

    Raises:
        StoppedError: ``stop`` was set by whoever works on another unit; nothing is published.
        StoreError: The store can't be written.
    """
    began = time.monotonic()
    settings, pipeline = composition.settings, composition.pipeline
    tally = _Tally()
    key = ShardKey(
        pipeline_digest=pipeline.digest,
        camera=unit.camera,
        date=unit.date,
        shard_id=make_shard_id([video.video_id for video in unit.videos], pipeline.digest),
    )
    stream = CropStream(settings, composition.detector, composition.build_tracker, composition.bodies)
    with ShardWriter(
        layout,
        key,
        pipeline=pipeline.description,
        encoder_id=composition.encoder.model_id,
        dimension=composition.dimension,
    ) as writer:
        items = iter_unit_crops(unit.videos, archive, stream, composition.source, settings.decode.sample_fps)
        items = until_stopped(items, stop or Event())
        with closing(items):
            for batch in _iter_batches(items, settings.encoder.batch_size, tally, layout, pipeline.digest, listener):
                with stream.counts.timing("encode"):
                    _encode(composition, writer, batch, tally)
        seconds = time.monotonic() - began
        with stream.counts.timing("publish"):
            manifest = writer.publish_new(tally.entries, seconds) if tally.entries else None
    manifest = withdraw_erased(layout, pipeline.digest, manifest)
    for entry in tally.entries:
        clear_quarantine(layout, pipeline.digest, entry.video_id)
    return _report_unit(unit, manifest, tally, stream.counts, seconds)


def _iter_batches(
    items: Iterator[VideoCrops | VideoEnd],
    batch_size: int,
    tally: _Tally,
    layout: StoreLayout,
    pipeline_digest: str,
    listener: Listener,
) -> Iterator[list[tuple[Video, Crop]]]:
    """Gathers crops of several tracklets and videos into batches for the encoder; notes the videos' ends."""
    waiting: list[tuple[Video, Crop]] = []
    for item in items:
        if isinstance(item, VideoEnd):
            note_end(item, tally, layout, pipeline_digest, listener)
            continue
        waiting += [(item.video, crop) for crop in item.crops]
        while len(waiting) >= batch_size:
            yield waiting[:batch_size]
            waiting = waiting[batch_size:]
    if waiting:
        yield waiting


def _encode(composition: Composition, writer: ShardWriter, batch: list[tuple[Video, Crop]], tally: _Tally) -> None:
    vectors = composition.encoder.encode_images([crop.image for _, crop in batch])
    quality = composition.settings.shards.jpeg_quality
    writer.append(
        [
            build_row(video, crop, join_vector(vector, crop, composition.dimension), quality)
            for (video, crop), vector in zip(batch, vectors, strict=True)
        ]
    )
    tally.num_crops += len(batch)
    tally.tracklets |= {crop.tracklet_id for _, crop in batch}


def note_end(end: VideoEnd, tally: _Tally, layout: StoreLayout, pipeline_digest: str, listener: Listener) -> None:
    """Notes what was decoded of a video; one that could not be read at all is quarantined with the reason."""
    video = end.video
    listener.advance("index MB", video.size_bytes / 1e6, video.path)
    if end.header is None or end.report is None or end.report.status == "failed":
        reason = end.error or (end.report.message if end.report else "")
        record_quarantine(layout, _quarantine_entry(end, pipeline_digest, reason))
        tally.unreadable.append(Unreadable(path=video.path, reason=reason))
        listener.warn(f"{video.path}: {reason}")
        return
    tally.entries.append(VideoEntry.of(video, end.header, end.report))
    if end.report.status == "partial":
        tally.unreadable.append(Unreadable(path=video.path, reason=end.report.message, coverage=end.report.coverage))
        listener.warn(f"{video.path}: read in part ({end.report.coverage:.0%}): {end.report.message}")


def _quarantine_entry(end: VideoEnd, pipeline_digest: str, reason: str) -> QuarantineEntry:
    video, now = end.video, utc_now()
    return QuarantineEntry(
        video_id=video.video_id,
        pipeline_digest=pipeline_digest,
        path=video.path,
        camera=video.camera,
        size_bytes=video.size_bytes,
        reason=reason,
        tries=1,
        first_utc=now,
        last_utc=now,
        modified_ns=end.modified_ns,
    )


def _report_unit(
    unit: Unit, manifest: ShardManifest | None, tally: _Tally, counts: Counts, seconds: float
) -> UnitReport:
    return UnitReport(
        camera=unit.camera,
        date=unit.date,
        shard_id=manifest.key.shard_id if manifest else "",
        num_videos=len(tally.entries),
        num_tracklets=len(tally.tracklets),
        num_crops=tally.num_crops,
        video_seconds=sum(entry.seconds_decoded for entry in tally.entries),
        seconds=seconds,
        counts=counts,
        unreadable=tuple(tally.unreadable),
        promised_seconds=sum(entry.seconds_promised for entry in tally.entries),
    )

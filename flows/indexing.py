"""Indexing an archive: plan what is new, then make and publish one shard a unit. Called by the CLI and by Prefect."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from anomalylmm.records import Crop, Video
from flows.composition import Composition
from flows.cropping import Counts, CropStream, VideoCrops, VideoEnd, build_row, iter_unit_crops
from flows.planning import Plan, Unit, plan_archive, utc_now
from flows.progress import Listener, Silence
from storage.gallery import Gallery
from storage.layout import ShardKey, StoreLayout, make_shard_id
from storage.manifest import ShardManifest, VideoEntry
from storage.quarantine import QuarantineEntry, clear_quarantine, read_quarantine, record_quarantine
from storage.shards import ShardWriter


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


def build_plan(composition: Composition, layout: StoreLayout, archive: Path, *, retry: bool = False) -> Plan:
    """Plans an index run: what valid shards hold and what is quarantined is left out.

    Raises:
        ArchiveError: There is no such folder, or no video in it.
        ConfigurationError: No path fits the camera patterns given.
    """
    digest = composition.pipeline.digest
    quarantined = frozenset() if retry else frozenset(entry.video_id for entry in read_quarantine(layout, digest))
    return plan_archive(
        archive,
        composition.settings,
        known=Gallery.open(layout, digest).video_ids,
        quarantined=quarantined,
        probe_start=composition.probe_start,
    )


def index_archive(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    *,
    retry: bool = False,
    listener: Listener | None = None,
) -> IndexReport:
    """Indexes what is new in an archive; what is indexed already is not touched.

    Raises:
        ArchiveError: There is no such folder, or no video in it.
        StoreError: The store can't be written.
    """
    began = time.monotonic()
    listener = listener or Silence()
    layout.create()
    layout.check_writable()
    plan = build_plan(composition, layout, archive, retry=retry)
    listener.start("index MB", plan.num_bytes / 1e6)
    units = tuple(index_unit(composition, layout, archive, unit, listener) for unit in plan.units)
    return build_report(composition, plan, units, time.monotonic() - began)


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
    )


def index_unit(
    composition: Composition, layout: StoreLayout, archive: Path, unit: Unit, listener: Listener
) -> UnitReport:
    """Makes and publishes the shard of one unit; nothing is published where no video could be read."""
    began = time.monotonic()
    settings, pipeline = composition.settings, composition.pipeline
    tally = _Tally()
    key = ShardKey(
        pipeline_digest=pipeline.digest,
        camera=unit.camera,
        date=unit.date,
        shard_id=make_shard_id([video.video_id for video in unit.videos], pipeline.digest),
    )
    stream = CropStream(settings, composition.detector, composition.build_tracker)
    with ShardWriter(
        layout,
        key,
        pipeline=pipeline.description,
        encoder_id=composition.encoder.model_id,
        dimension=composition.encoder.dimension,
    ) as writer:
        items = iter_unit_crops(unit.videos, archive, stream, composition.source, settings.decode.sample_fps)
        with closing(items):
            for batch in _iter_batches(items, settings.encoder.batch_size, tally, layout, pipeline.digest, listener):
                _encode(composition, writer, batch, tally)
        seconds = time.monotonic() - began
        manifest = writer.publish(tally.entries, seconds) if tally.entries else None
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
        [build_row(video, crop, vector, quality) for (video, crop), vector in zip(batch, vectors, strict=True)]
    )
    tally.num_crops += len(batch)
    tally.tracklets |= {crop.tracklet_id for _, crop in batch}


def note_end(end: VideoEnd, tally: _Tally, layout: StoreLayout, pipeline_digest: str, listener: Listener) -> None:
    """Notes what was decoded of a video; one that could not be read at all is quarantined with the reason."""
    video = end.video
    listener.advance("index MB", video.size_bytes / 1e6, video.path)
    if end.header is None or end.report is None or end.report.status == "failed":
        reason = end.error or (end.report.message if end.report else "")
        record_quarantine(layout, _quarantine_entry(video, pipeline_digest, reason))
        tally.unreadable.append(Unreadable(path=video.path, reason=reason))
        listener.warn(f"{video.path}: {reason}")
        return
    tally.entries.append(VideoEntry.of(video, end.header, end.report))
    if end.report.status == "partial":
        tally.unreadable.append(Unreadable(path=video.path, reason=end.report.message, coverage=end.report.coverage))
        listener.warn(f"{video.path}: read in part ({end.report.coverage:.0%}): {end.report.message}")


def _quarantine_entry(video: Video, pipeline_digest: str, reason: str) -> QuarantineEntry:
    now = utc_now()
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
    )

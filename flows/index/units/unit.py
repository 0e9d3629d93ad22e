"""Makes one shard from one unit of an archive (one day of one camera)."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Self

from anomalylmm.errors import LostClaimError
from anomalylmm.records import Crop, Video
from flows.clock import utc_now
from flows.composition import Composition
from flows.index.planning import Unit
from flows.index.sharing import leave_out_published
from flows.index.units.cropping import Counts, CropStream, build_row, iter_unit_crops, join_vector
from flows.index.units.small_persons import note_view
from flows.index.units.streams import VideoEnd
from flows.runs.at_once import until_stopped
from flows.runs.progress import Listener
from flows.settings.views import FrameView
from storage.disk.claims import Claim, hold
from storage.disk.layout import ShardKey, StoreLayout, make_shard_id
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.quarantine import QuarantineEntry, clear_quarantine, record_quarantine
from storage.shards.writer import ShardWriter
from storage.upkeep.erasure import withdraw_erased

MAX_FPS = 240  # of slow motion
MIN_LOOKS, MIN_LOOKED_SHARE = 60, 0.3  # frames given to the detector, from which it is odd that it finds nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A video that could not be read completely, and the reason."""

    path: str
    reason: str
    coverage: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReport:
    """The result of one unit."""

    camera: str
    date: str
    shard_id: str  # empty if no video of the unit could be read
    num_videos: int
    num_tracklets: int
    num_crops: int
    video_seconds: float
    seconds: float
    counts: Counts
    unreadable: tuple[Unreadable, ...]
    promised_seconds: float = 0.0  # duration of the videos that were read, according to their containers
    notes: tuple[str, ...] = ()  # what an operator should check at the camera
    claim: str = ""  # name of the claim under which the shard was published
    held_by: str = ""  # who is indexing some of the videos now; the unit was not begun, or not finished

    @classmethod
    def without_work(cls, unit: Unit, *, held_by: str = "", claim: str = "", note: str = "") -> Self:
        """The report of a unit that other runs are indexing, or have indexed in the meantime."""
        return cls(
            camera=unit.camera,
            date=unit.date,
            shard_id="",
            num_videos=0,
            num_tracklets=0,
            num_crops=0,
            video_seconds=0.0,
            seconds=0.0,
            counts=Counts(),
            unreadable=(),
            held_by=held_by,
            claim=claim,
            notes=(f"camera {unit.camera}, {unit.date}: {note}",) if note else (),
        )


def index_unit(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    unit: Unit,
    listener: Listener,
    stop: Event | None = None,
) -> UnitReport:
    """Makes and publishes the shard of one unit. If no video can be read, nothing is published.

    The videos are claimed first. If another run is indexing some of them, nothing is done, and the report says so.

    Raises:
        StoppedError: ``stop`` was set because another unit failed; nothing is published.
        StoreError: The store can't be written.
    """
    pipeline, view = composition.pipeline, composition.views.find(unit.camera, unit.videos[0].path)
    writer = ShardWriter(
        layout,
        _name_shard(unit, pipeline.digest),
        pipeline=composition.describe_pipeline(view),
        encoder_id=composition.encoder.model_id,
        dimension=composition.dimension,
    )
    lease = composition.settings.shards.lease_seconds
    with writer, hold(layout, pipeline.digest, writer.directory, lease) as claim:
        holder = claim.take((video.video_id for video in unit.videos), unit.camera, unit.date)
        if holder:
            return UnitReport.without_work(unit, held_by=str(holder))
        rest = leave_out_published(layout, pipeline.digest, unit)
        if not rest.videos:
            return UnitReport.without_work(
                unit, note=f"{len(unit.videos)} videos were indexed by another run meanwhile"
            )
        try:
            return _index_claimed(composition, layout, archive, rest, listener, stop or Event(), writer, claim)
        except LostClaimError as error:
            claim.withdraw()
            listener.warn(f"camera {unit.camera}, {unit.date}: {error}")
            return UnitReport.without_work(unit, held_by="another run")


def _index_claimed(
    composition: Composition,
    layout: StoreLayout,
    archive: Path,
    unit: Unit,
    listener: Listener,
    stop: Event,
    writer: ShardWriter,
    claim: Claim,
) -> UnitReport:
    began, digest = time.monotonic(), composition.pipeline.digest
    view = composition.views.find(unit.camera, unit.videos[0].path)
    stream = CropStream(
        composition.settings,
        composition.build_detector(view),
        composition.build_tracker,
        composition.bodies,
        parts=view.motion_parts(composition.settings.detector.image_size),
    )
    build = _UnitBuilder(composition, writer, stream.counts, unit.videos, view)
    items = iter_unit_crops(
        unit.videos,
        archive,
        stream,
        composition.build_source(view),
        composition.settings.decode.sample_fps,
        composition.copies,
    )
    with claim.guard():
        with closing(until_stopped(items, stop)) as unstopped:
            for item in unstopped:
                build.add(item.crops)
                if item.end is not None:
                    claim.check()
                    video = item.end.video
                    listener.advance("index MB", video.size_bytes / 1e6, video.path)
                    _warn(listener, build.end_video(layout, item.end))
        build.encode_rest()
        seconds = time.monotonic() - began
        with stream.counts.timing("publish"):
            manifest = writer.publish_new(build.entries, seconds) if build.entries else None
    manifest = withdraw_erased(layout, digest, manifest)
    for entry in build.entries:
        clear_quarantine(layout, digest, entry.video_id)
    return replace(build.report(unit, manifest, seconds, stream.sight.complaints()), claim=claim.folder.name)


class _UnitBuilder:
    """Collects crops of all videos into batches for the encoder, and the result of each video."""

    def __init__(
        self,
        composition: Composition,
        writer: ShardWriter,
        counts: Counts,
        videos: Sequence[Video],
        view: FrameView,
    ) -> None:
        self._view, self._small = view, dict[str, None]()  # what is amiss with the view, each note once
        self._with_tracks: list[str] = []  # paths of files with several video tracks,
        self._too_fast: list[str] = []  # and of those with more frames a second than cameras take
        self.entries: list[VideoEntry] = []
        self._unreadable: list[Unreadable] = []
        self._composition, self._writer, self._counts = composition, writer, counts
        self._videos = {video.video_id: video for video in videos}
        self._waiting: list[Crop] = []
        self._tracklets: set[str] = set()
        self._num_crops = 0

    def add(self, crops: Sequence[Crop]) -> None:
        """Adds crops; full batches are encoded and written."""
        self._waiting += crops
        size = self._composition.settings.encoder.batch_size
        while len(self._waiting) >= size:
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            self._encode(batch)

    def encode_rest(self) -> None:
        """Encodes and writes the last batch."""
        if self._waiting:
            batch, self._waiting = self._waiting, []
            self._encode(batch)

    def end_video(self, layout: StoreLayout, end: VideoEnd) -> Unreadable | None:
        """Records the result of a video and returns what could not be read. A video that failed is quarantined."""
        found = _find_unreadable(end)
        if found:
            self._unreadable.append(found)
        if end.is_unreached:
            return found
        if end.header is None or end.report is None or end.report.status == "failed":
            entry = build_quarantine_entry(
                end.video.video_id,
                end.video.path,
                end.video.camera,
                pipeline_digest=self._composition.pipeline.digest,
                reason=found.reason if found else "",
                modified_ns=end.modified_ns,
                size_bytes=end.video.size_bytes,
            )
            record_quarantine(layout, entry)
        else:
            self.entries.append(VideoEntry.of(end.video, end.header, end.report))
            self._small[note_view(end.header, self._view)] = None
            self._with_tracks += [end.video.path] if end.header.num_video_tracks > 1 else []
            self._too_fast += [end.video.path] if end.header.average_fps > MAX_FPS else []
        return found

    def report(
        self, unit: Unit, manifest: ShardManifest | None, seconds: float, complaints: Sequence[str]
    ) -> UnitReport:
        """Builds the report of the unit."""
        odd = (*_note_tracks(self._with_tracks), *_note_speed(self._too_fast))
        notes = [*(complaints or _note_nobody(self._counts, self._num_crops)), *odd]
        return UnitReport(
            camera=unit.camera,
            date=unit.date,
            shard_id=manifest.key.shard_id if manifest else "",
            num_videos=len(self.entries),
            num_tracklets=len(self._tracklets),
            num_crops=self._num_crops,
            video_seconds=sum(entry.seconds_decoded for entry in self.entries),
            seconds=seconds,
            counts=self._counts,
            unreadable=tuple(self._unreadable),
            promised_seconds=sum(entry.seconds_promised for entry in self.entries),
            notes=(
                *(f"camera {unit.camera}, {unit.date}: {note}" for note in notes),
                *(f"camera {unit.camera}: {note}" for note in self._small if note),
            ),
        )

    def _encode(self, batch: Sequence[Crop]) -> None:
        composition = self._composition
        quality = composition.settings.shards.jpeg_quality
        with self._counts.timing("encode"):
            vectors = composition.encoder.encode_images([crop.image for crop in batch])
            self._writer.append(
                [
                    build_row(
                        self._videos[crop.video_id], crop, join_vector(vector, crop, composition.dimension), quality
                    )
                    for crop, vector in zip(batch, vectors, strict=True)
                ]
            )
        self._num_crops += len(batch)
        self._tracklets |= {crop.tracklet_id for crop in batch}


def _note_nobody(counts: Counts, num_crops: int) -> list[str]:
    """Says that nobody was found although much of the footage changes."""
    looked, frames = counts.frames_detected, counts.frames
    if num_crops or looked < max(MIN_LOOKS, MIN_LOOKED_SHARE * frames):
        return []
    return [
        f"no person was found, although the picture changes in {looked} of {frames} frames; "
        "if people are there, check the noise of the picture and how small they are in it"
    ]


def _note_tracks(paths: Sequence[str]) -> list[str]:
    """Says that files hold more pictures than are read, such as those of a second lens."""
    if not paths:
        return []
    return [
        f"{len(paths)} files hold several video tracks, for example {paths[0]!r}; only the one with the largest "
        "picture is read, of equals the first. To read another one, write it into a file of its own, beside or "
        "instead of this one: ffmpeg -i FILE -map 0:v:1 -c copy OTHER"
    ]


def _note_speed(paths: Sequence[str]) -> list[str]:
    """Says that files play too fast, as some recorders write them, so that people appear in hardly a frame."""
    if not paths:
        return []
    return [
        f"{len(paths)} files show more than {MAX_FPS} frames a second, for example {paths[0]!r}; if their recorder "
        "wrote wrong times, they are far too short, and people in them are missed. Check its frame rate"
    ]


def _name_shard(unit: Unit, pipeline_digest: str) -> ShardKey:
    shard_id = make_shard_id([video.video_id for video in unit.videos], pipeline_digest)
    return ShardKey(pipeline_digest=pipeline_digest, camera=unit.camera, date=unit.date, shard_id=shard_id)


def _find_unreadable(end: VideoEnd) -> Unreadable | None:
    """Returns what could not be read of a video; None if all of it was read."""
    if end.header is None or end.report is None or end.report.status == "failed":
        return Unreadable(path=end.video.path, reason=end.error or (end.report.message if end.report else ""))
    if end.report.status == "partial":
        return Unreadable(path=end.video.path, reason=end.report.message, coverage=end.report.coverage)
    return None


def _warn(listener: Listener, found: Unreadable | None) -> None:
    if found:
        part = f"read in part ({found.coverage:.0%}): " if found.coverage else ""
        listener.warn(f"{found.path}: {part}{found.reason}")


def build_quarantine_entry(
    video_id: str, path: str, camera: str, *, pipeline_digest: str, reason: str, modified_ns: int, size_bytes: int = 0
) -> QuarantineEntry:
    """Builds the entry of a file that was tried for the first time; the quarantine adds earlier tries."""
    now = utc_now()
    return QuarantineEntry(
        video_id=video_id,
        pipeline_digest=pipeline_digest,
        path=path,
        camera=camera,
        size_bytes=size_bytes,
        reason=reason,
        tries=1,
        first_utc=now,
        last_utc=now,
        modified_ns=modified_ns,
    )

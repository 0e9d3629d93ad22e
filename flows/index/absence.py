"""Tells what is missing from an archive (cameras, hours, everything), and what is there twice at one time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from anomalylmm.errors import ArchiveError
from anomalylmm.measure.gaps import Gap, Recording, find_gaps
from anomalylmm.records import Video
from flows.archives.files import has_entries
from flows.clock import utc_now
from flows.clocks.names import read_name
from flows.index.planning import Plan
from flows.index.wallclock import build_patterns, clock_of
from flows.maintain.corrections import IndexedVideo, list_indexed, suggest_corrections
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.hits.gaps import (
    ArchiveNote,
    GapRecord,
    name_archive,
    read_archive_note,
    read_other_notes,
    remove_archive_note,
    write_archive_note,
)
from storage.shards.schema import clean_text

DAY_SECONDS = 86_400.0
STRETCH, STRETCH_SECONDS = 1.5, 60.0  # a video may be so many times longer or shorter than its name says, and more
SURE = ("path_pattern", "container")  # sources of times that are exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What is missing from an archive."""

    gaps: tuple[GapRecord, ...] = ()
    notes: tuple[str, ...] = ()  # about what lasts, what no run has told before, and what could be corrected
    is_new: bool = False  # whether a gap was found for the first time


NOTHING_MISSING = Absence()


def note_absence(layout: StoreLayout, archive: Path, plan: Plan, settings: Settings) -> Absence:
    """Compares what is in an archive with what was indexed; saves and returns what is missing.

    Args:
        layout: The store.
        archive: The folder of videos.
        plan: What is in it now.
        settings: How names are read, and what counts as a gap.

    Raises:
        StoreError: The store can't be read or written.
    """
    present = plan.present
    now, before = utc_now(), read_archive_note(layout, archive)
    indexed = list_indexed(layout)
    names = {video.entry.video_id: video.facts.camera for video in indexed}
    cameras = Counter(names.get(video.video_id, video.camera) for video in present)
    missing = {camera: number for camera, number in (before.cameras if before else {}).items() if camera not in cameras}
    own = [item for item in list_recordings(indexed, present) if item.camera in cameras]
    gaps = list(find_gaps(own, min_gap=timedelta(minutes=settings.gaps.min_minutes), now_utc=now))
    if not plan.postponed:  # otherwise a camera may only seem to be gone
        unread = {read_camera(item.path, settings) for item in plan.passed_over}
        gaps += find_gone(indexed, present, missing.keys() - unread)
    records = _to_records(archive, [gap for gap in gaps if gap.camera not in settings.gaps.ignore_cameras], before, now)
    note = ArchiveNote(archive=name_archive(archive), seen_utc=now, cameras={**missing, **cameras}, gaps=records)
    write_archive_note(layout, note)
    is_new = any(record.found_utc == now for record in records)
    fresh = {video.video_id for unit in plan.units for video in unit.videos}
    known = {names[video.video_id] for video in present if video.video_id in names.keys() - fresh}
    moved = forget_moved(layout, archive, known)
    odd = (*iter_overlaps(indexed, fresh), *iter_stretched(indexed, fresh))
    notes = (*moved, *iter_notes(records, now), *odd, *suggest_corrections(indexed, present))
    return Absence(gaps=records, notes=notes, is_new=is_new)


def forget_moved(layout: StoreLayout, archive: Path, known: AbstractSet[str]) -> tuple[str, ...]:
    """Forgets archives whose folder is gone or empty if footage of all their cameras is in this archive, and says so.

    Args:
        layout: The store.
        archive: The folder of videos.
        known: The cameras of which videos that an earlier run indexed are in it.

    Raises:
        StoreError: The store can't be read or written.
    """
    moved = [
        note
        for note in read_other_notes(layout, archive)
        if note.cameras and note.cameras.keys() <= known and not has_entries(Path(note.archive))
    ]
    for note in moved:
        remove_archive_note(layout, note)
    return tuple(
        f"the archive {note.archive!r} is gone, and the footage of its cameras is here: it is taken to have moved, "
        "and is no longer reported as missing"
        for note in moved
    )


def explain_empty(layout: StoreLayout, archive: Path, error: ArchiveError) -> ArchiveError:
    """Adds to an error about an archive without videos what it held before, and notes that it is empty.

    Raises:
        StoreError: The store can't be read or written.
    """
    before = read_archive_note(layout, archive)
    if before is None or not before.cameras:
        return error
    ends = _last_stops(list_indexed(layout))
    starts = {camera: ends.get(camera, before.seen_utc) for camera in before.cameras}
    gaps = [
        Gap(camera=camera, kind="archive empty", start_utc=start, stop_utc=None) for camera, start in starts.items()
    ]
    records = _to_records(archive, gaps, before, utc_now())
    note = ArchiveNote(archive=before.archive, seen_utc=before.seen_utc, cameras=before.cameras, gaps=records)
    write_archive_note(layout, note)
    return ArchiveError(
        f"{error}. On {_moment(before.seen_utc)} it held {sum(before.cameras.values())} videos of "
        f"{', '.join(before.cameras)}: is the disk mounted? Nothing of them was erased"
    )


def list_recordings(indexed: Iterable[IndexedVideo], present: Iterable[Video]) -> Iterator[Recording]:
    """Lists what is indexed, and what is in the archive without being indexed, whose length is not known."""
    known = set()
    for video in indexed:
        known.add(video.entry.video_id)
        yield Recording(camera=video.facts.camera, start_utc=video.start_utc, stop_utc=video.stop_utc)
    for item in present:
        if item.video_id not in known:
            yield Recording(camera=item.camera, start_utc=item.start_utc, stop_utc=None)


def find_gone(indexed: Sequence[IndexedVideo], present: Iterable[Video], expected: Iterable[str]) -> list[Gap]:
    """Finds cameras that are indexed and expected, but of which no video is there, under whatever name."""
    there = {video.video_id for video in present}
    ends = _last_stops(indexed)
    moved = {video.facts.camera for video in indexed if video.entry.video_id in there}
    return [
        Gap(camera=camera, kind="camera gone", start_utc=ends[camera], stop_utc=None)
        for camera in sorted(set(expected) & set(ends) - moved)
    ]


def read_camera(path: str, settings: Settings) -> str:
    """Reads the camera of a file that was passed over, such as one that is still being written."""
    patterns, zone = build_patterns(settings.cameras, settings.time_zone), settings.time_zone
    return clean_text(clock_of(path, patterns, container_utc=None, modified=0.0, time_zone=zone).camera)


def iter_notes(gaps: Iterable[GapRecord], now_utc: datetime) -> Iterator[str]:
    """Describes each gap that lasts, and the holes found just now, one sentence for each camera."""
    holes: dict[str, list[GapRecord]] = {}
    for gap in gaps:
        since = _moment(gap.start_utc)
        if gap.kind == "camera gone":
            yield f"camera {gap.camera!r} is gone: it had footage until {since}, and the archive has none of it now"
        elif gap.kind == "silent":
            yield f"camera {gap.camera!r} has recorded nothing since {since}, while others went on"
        elif gap.found_utc == now_utc:
            holes.setdefault(gap.camera, []).append(gap)
    for camera, found in holes.items():
        longest = max(found, key=lambda gap: gap.seconds or 0.0)
        span = f"from {_moment(longest.start_utc)} to {_moment(longest.stop_utc or now_utc)}"
        more = f"; {len(found) - 1} shorter gaps are in the table gaps" if len(found) > 1 else ""
        yield f"camera {camera!r} normally records without a break, but has nothing {span}{more}"


def iter_overlaps(indexed: Sequence[IndexedVideo], fresh: AbstractSet[str]) -> Iterator[str]:
    """Names each camera that records twice at one time, if one of the two videos is new, one sentence for each."""
    found: dict[str, list[str]] = {}
    sure = [item for item in indexed if item.facts.clock_source in SURE and not item.facts.clock_doubt]
    ordered = sorted(sure, key=lambda item: (item.facts.camera, item.start_utc, item.stop_utc))
    longest: IndexedVideo | None = None  # of those so far of a camera, the one that ends last
    for item in ordered:
        if longest is None or longest.facts.camera != item.facts.camera:
            longest = item
            continue
        if {longest.entry.video_id, item.entry.video_id} & fresh and _is_at_one_time(longest, item):
            found.setdefault(item.facts.camera, []).append(f"{longest.entry.path!r} and {item.entry.path!r}")
        longest = max(longest, item, key=lambda one: one.stop_utc)
    for camera, pairs in found.items():
        yield (
            f"camera {camera!r} recorded {len(pairs)} new videos at the same time as another, for example {pairs[0]}; "
            "they may be of two cameras with one name, or one recording in two qualities: name them apart in "
            "[[cameras]], or leave one out with archive.exclude"
        )


def iter_stretched(indexed: Iterable[IndexedVideo], fresh: AbstractSet[str]) -> Iterator[str]:
    """Says so if new videos are much shorter or longer than the span from start to end in their names."""
    found: list[tuple[str, float, float]] = []
    for item in indexed:
        end = read_name(item.entry.path).end if item.facts.clock_source == "path_pattern" else None
        if end is not None and item.entry.video_id in fresh:
            start = item.start_utc.astimezone(ZoneInfo(item.facts.time_zone))
            stop = start.replace(hour=end.hour, minute=end.minute, second=end.second)
            named = (stop - start).total_seconds() % DAY_SECONDS
            length = (item.stop_utc - item.start_utc).total_seconds()
            if max(named, length) > STRETCH * min(named, length) + STRETCH_SECONDS:
                found.append((item.entry.path, length, named))
    if found:
        path, length, named = found[0]
        yield (
            f"{len(found)} new videos are much shorter or longer than the spans in their names, for example {path!r}: "
            f"{length:.0f} s instead of {named:.0f} s. They may be time-lapses, or hold the moving parts only, so that "
            "times within them are wrong"
        )


def _is_at_one_time(one: IndexedVideo, other: IndexedVideo) -> bool:
    """Returns whether two videos share at least half the length of the shorter."""
    shared = min(one.stop_utc, other.stop_utc) - max(one.start_utc, other.start_utc)
    shorter = min(one.stop_utc - one.start_utc, other.stop_utc - other.start_utc)
    return timedelta() < shorter <= 2 * shared


def _to_records(
    archive: Path, gaps: Iterable[Gap], before: ArchiveNote | None, now_utc: datetime
) -> tuple[GapRecord, ...]:
    """Records gaps; those that an earlier run found keep the time when they were found."""
    found = {gap.key: gap.found_utc for gap in before.gaps} if before else {}
    return tuple(
        GapRecord(
            archive=name_archive(archive),
            camera=gap.camera,
            kind=gap.kind,
            start_utc=gap.start_utc,
            stop_utc=gap.stop_utc,
            found_utc=found.get((gap.camera, gap.kind, gap.start_utc), now_utc),
        )
        for gap in gaps
    )


def _last_stops(indexed: Iterable[IndexedVideo]) -> dict[str, datetime]:
    """When the last video of each camera ended."""
    ends: dict[str, datetime] = {}
    for video in indexed:
        ends[video.facts.camera] = max(video.stop_utc, ends.get(video.facts.camera, video.stop_utc))
    return ends


def _moment(moment_utc: datetime) -> str:
    return f"{moment_utc:%Y-%m-%d %H:%M} UTC"

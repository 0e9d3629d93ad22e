"""Plans a correction: which indexed videos are meant, and what their camera and start should be. Changes nothing."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from shlex import quote

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import ClockSource, Video
from flows.index.wallclock import build_patterns, clock_of
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.shards.facts import Corrections, VideoFacts
from storage.shards.manifest import VideoEntry, iter_manifests
from storage.shards.schema import clean_text

SHIFT = re.compile(r"([+-]?)(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
FIRST_YEAR, LAST_YEAR = 1970, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedVideo:
    """A video in a shard, as the store knows it."""

    entry: VideoEntry
    facts: VideoFacts

    @property
    def start_utc(self) -> datetime:
        """When it began."""
        return self.facts.start_utc

    @property
    def stop_utc(self) -> datetime:
        """When it ended, by its container and what could be decoded."""
        return self.start_utc + timedelta(seconds=max(self.entry.seconds_promised, self.entry.seconds_decoded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which videos are meant: those that meet all conditions given; all videos if there is none."""

    cameras: frozenset[str] = frozenset()
    videos: tuple[str, ...] = ()  # ids, or paths in which * stands for any text
    since_utc: datetime | None = None  # by the times before the correction
    until_utc: datetime | None = None  # exclusive

    @property
    def is_named(self) -> bool:
        """Whether cameras or videos are named."""
        return bool(self.cameras or self.videos)

    def includes(self, video: IndexedVideo) -> bool:
        """Returns whether a video is meant."""
        names = (video.entry.video_id, video.entry.path, clean_text(video.entry.path))
        return (
            (not self.cameras or video.facts.camera in self.cameras)
            and (not self.videos or any(fnmatchcase(name, given) for name in names for given in self.videos))
            and (self.since_utc is None or video.start_utc >= self.since_utc)
            and (self.until_utc is None or video.start_utc < self.until_utc)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is wrong with the chosen videos."""

    camera: str = ""  # their camera; empty: it is right
    shift: timedelta = timedelta()  # how much later they began
    first_start_utc: datetime | None = None  # when the first of them began; the others are shifted as much
    settings: Settings | None = None  # reads camera and start from the paths again
    renamed: Mapping[str, str] = field(default_factory=dict)  # cameras whose later videos are called otherwise, too

    @property
    def by_hand(self) -> bool:
        """Whether a person gives the facts, and not the settings."""
        return self.settings is None

    def describe(self) -> str:
        """Returns the correction in words."""
        if self.settings:
            return "read again by the settings"
        parts = {
            f"camera {self.camera}": self.camera,
            "also of later videos": self.renamed,
            f"shifted by {self.shift}": self.shift,
            f"the first began {self.first_start_utc}": self.first_start_utc,
        }
        return ", ".join(text for text, is_given in parts.items() if is_given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One video with its facts before and after."""

    video_id: str
    path: str
    old: VideoFacts
    new: VideoFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionPlan:
    """What a correction would change."""

    changes: tuple[Change, ...]
    num_chosen: int
    num_left: int = 0  # corrected by hand before, and not named now
    num_unread: int = 0  # their path gave the time, and no pattern fits it any more
    cameras_gone: frozenset[str] = frozenset()  # of which no video is left


def parse_shift(text: str) -> timedelta:
    """Reads a time span such as ``+1h``, ``-1h30m``, ``45s`` or ``-2d``.

    Raises:
        ConfigurationError: The text is not a span.
    """
    found = SHIFT.fullmatch(text.strip())
    if not found:
        raise ConfigurationError(f"--shift must be a span of time such as +1h, -1h30m, 45s or -2d, but is {text!r}")
    sign, *numbers = found.groups()
    try:
        days, hours, minutes, seconds = (int(number or 0) for number in numbers)
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise ConfigurationError(f"--shift {text} is too long; check it") from error
    return -span if sign == "-" else span


def list_indexed(layout: StoreLayout) -> list[IndexedVideo]:
    """Lists the videos of all valid shards, each once, in the order of their starts."""
    found: dict[str, IndexedVideo] = {}
    for _, manifest in iter_manifests(layout):
        for entry in manifest.videos:
            found[entry.video_id] = IndexedVideo(entry=entry, facts=VideoFacts.of(manifest, entry))
    return sorted(found.values(), key=lambda video: (video.start_utc, video.entry.path))


def suggest_corrections(indexed: Iterable[IndexedVideo], present: Sequence[Video]) -> Iterator[str]:
    """Says what is indexed under another camera or time than it would get now, and how to change it."""
    known = {video.entry.video_id: video for video in indexed}
    unmoved = {item.video_id for item in present if item.video_id in known and _is_at(item, known[item.video_id])}
    moved: Counter[tuple[str, str]] = Counter()
    num_other = 0
    for item in present:
        facts = known[item.video_id].facts if item.video_id in known else None
        if facts and _is_at(item, known[item.video_id]):
            has_other_time = _is_of_path(item.clock_source) and item.start_utc != facts.start_utc
            num_other += has_other_time or item.camera != facts.camera
        elif facts and item.video_id not in unmoved and item.camera != facts.camera:
            moved[facts.camera, item.camera] += 1
    if num_other:
        yield (
            f"{num_other} indexed videos have another camera or time than the settings now read from their names; "
            "to correct them, run: anomalylmm recamera --from-settings"
        )
    for (old, new), number in sorted(moved.items()):
        yield (
            f"{number} videos of camera {new!r} are indexed as camera {old!r}; if they are one camera, run: anomalylmm "
            f"recamera --camera {quote(old)} --to {quote(new)} (or the other way round, with --always)"
        )


def _is_at(item: Video, video: IndexedVideo) -> bool:
    return clean_text(item.path) == clean_text(video.entry.path)


def plan_correction(
    indexed: Sequence[IndexedVideo], known: Corrections, choice: Choice, correction: Correction
) -> CorrectionPlan:
    """Finds what a correction changes in the chosen videos of the store; ``known`` are the earlier corrections.

    Raises:
        ConfigurationError: A start would be before 1970 or after 2200.
    """
    chosen = [video for video in indexed if choice.includes(video)]
    spared = set() if correction.by_hand or choice.is_named else known.by_hand
    free = [video for video in chosen if video.entry.video_id not in spared]
    if correction.settings:
        read = _read_all(free, correction.settings)
        unread = {name for name, facts in read.items() if facts is None}
        new = {name: replace(facts, camera=known.name(facts.camera)) for name, facts in read.items() if facts}
    else:
        unread, new = set[str](), _correct_all(free, correction)
    changes = tuple(
        Change(video_id=video.entry.video_id, path=video.entry.path, old=video.facts, new=new[video.entry.video_id])
        for video in free
        if new.get(video.entry.video_id, video.facts) != video.facts
    )
    after = {video.entry.video_id: video.facts for video in indexed} | {item.video_id: item.new for item in changes}
    return CorrectionPlan(
        changes=changes,
        num_chosen=len(chosen),
        num_left=len(chosen) - len(free),
        num_unread=len(unread),
        cameras_gone=frozenset(video.facts.camera for video in indexed) - {facts.camera for facts in after.values()},
    )


def _correct_all(videos: Sequence[IndexedVideo], correction: Correction) -> dict[str, VideoFacts]:
    shift = correction.shift
    if correction.first_start_utc and videos:
        shift = correction.first_start_utc - videos[0].start_utc
    return {video.entry.video_id: _correct(video.facts, correction.camera, shift) for video in videos}


def _correct(facts: VideoFacts, camera: str, shift: timedelta) -> VideoFacts:
    try:
        start_utc = facts.start_utc + shift
    except OverflowError:
        start_utc = facts.start_utc.replace(year=LAST_YEAR + 1, day=1)
    if not FIRST_YEAR <= start_utc.year <= LAST_YEAR:
        raise ConfigurationError(
            f"with this shift, a video that began {facts.start_utc.isoformat()} would begin before {FIRST_YEAR} or "
            f"after {LAST_YEAR}; check --shift, --since and --until"
        )
    moved = replace(facts, camera=camera or facts.camera)
    return replace(moved, start_utc=start_utc, clock_source="corrected", clock_doubt="") if shift else moved


def _read_all(videos: Sequence[IndexedVideo], settings: Settings) -> dict[str, VideoFacts | None]:
    """Reads paths again. A time that was found elsewhere stays; None if a path gave it and does not do so any more."""
    zone = settings.time_zone
    ends = {video.entry.path: video.stop_utc.timestamp() for video in videos}
    patterns = build_patterns(settings.cameras, zone).survey(ends)
    found: dict[str, VideoFacts | None] = {}
    for video in videos:
        path, facts, modified = video.entry.path, video.facts, ends[video.entry.path]
        clock = clock_of(path, patterns, container_utc=None, modified=modified, time_zone=zone)
        changed = replace(facts, camera=clean_text(clock.camera), time_zone=clock.time_zone)
        if _is_of_path(clock.source):
            doubts = " ".join(doubt for doubt in clock.doubts if doubt != "after_file_time")
            changed = replace(changed, start_utc=clock.start_utc, clock_source=clock.source, clock_doubt=doubts)
        is_lost = _is_of_path(facts.clock_source) and not _is_of_path(clock.source)
        found[video.entry.video_id] = None if is_lost else changed
    return found


def _is_of_path(source: ClockSource) -> bool:
    return source.startswith("path")


def summarize(changes: Iterable[Change]) -> list[tuple[str, str, int, datetime, datetime, timedelta]]:
    """Returns rows of camera before and after, number of videos, first start before and after, and the shift."""
    groups: dict[tuple[str, str, timedelta], list[Change]] = {}
    for change in changes:
        key = (change.old.camera, change.new.camera, change.new.start_utc - change.old.start_utc)
        groups.setdefault(key, []).append(change)
    return [
        (old, new, len(group), min(c.old.start_utc for c in group), min(c.new.start_utc for c in group), shift)
        for (old, new, shift), group in sorted(groups.items())
    ]

"""Camera and wall-clock time of a video: from its path, otherwise its container, otherwise its file time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from anomalylmm.records import ClockSource, Video
from flows.clocks.names import is_unset, strip_suffix
from flows.clocks.neighbors import NamedClock, read_paths
from flows.clocks.patterns import PathPattern, check_time_zone, compile_all
from flows.settings.sections import CameraSettings

NEARBY = timedelta(seconds=10)  # two clocks this close show the same moment
ZONE_STEP = timedelta(minutes=30)  # zones differ by multiples of it, with few exceptions
FARTHEST_ZONE = timedelta(hours=14)
SLACK_SECONDS = 60.0  # a recording of one hour may take a little longer
MIN_SPREAD_SECONDS = 6 * 3600.0  # files copied together have one time, whatever their names say


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where and when a video was recorded, the source of the time, and what makes it doubtful."""

    camera: str
    start_utc: datetime
    source: ClockSource
    time_zone: str
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathReader:
    """Reads cameras and times from paths, if possible from all of an archive together."""

    patterns: tuple[PathPattern, ...]
    time_zone: str
    known: Mapping[str, NamedClock] = field(default_factory=dict, repr=False)
    modified: Mapping[str, float] = field(default_factory=dict, repr=False)

    def survey(self, modified: Mapping[str, float]) -> "PathReader":
        """Reads the paths of an archive, given when each file was last changed in seconds since 1970."""
        return replace(self, known=read_paths(modified, self.patterns, self.time_zone), modified=modified)

    def read(self, path: str, modified: float) -> NamedClock:
        """Reads one path, as the survey did if it knows the path."""
        return self.known.get(path) or read_paths({path: modified}, self.patterns, self.time_zone)[path]


def build_patterns(cameras: tuple[CameraSettings, ...], time_zone: str) -> PathReader:
    """Compiles the user's patterns. The built-in rules read the paths that none of them matches.

    Raises:
        ConfigurationError: A pattern has an unknown or repeated part, or a time zone does not exist.
    """
    check_time_zone(time_zone)
    return PathReader(patterns=compile_all(cameras, time_zone), time_zone=time_zone)


def clock_of(
    path: str,
    patterns: PathReader,
    *,
    container_utc: datetime | None,
    modified: float,
    time_zone: str,
    duration_seconds: float = 0.0,
) -> Clock:
    """Finds camera and start: by the path, otherwise the container's time, otherwise the file's.

    Args:
        path: The path in the archive.
        patterns: Reads the path.
        container_utc: The time that the container gives, if it was asked and gives one.
        modified: When the file was last changed, in seconds since 1970. This is usually the end of the recording.
        time_zone: The zone of cameras whose path has none.
        duration_seconds: The length of the video; 0 if unknown.
    """
    named = patterns.read(path, modified)
    zone = named.time_zone or time_zone
    end, duration = datetime.fromtimestamp(modified, tz=UTC), timedelta(seconds=duration_seconds)
    found = _by_container(container_utc, end, duration, zone) if container_utc else _by_file(end, duration)
    if is_unset(found.start_utc.date()) and not is_unset(end.date()):
        found = _by_file(end, duration)
        found = replace(found, doubts=(*found.doubts, "clock_not_set"))
    if not named.start_utc:
        doubts = (*named.doubts, *found.doubts)
        return Clock(camera=named.camera, start_utc=found.start_utc, source=found.source, time_zone=zone, doubts=doubts)
    if named.span and timedelta(0) <= found.start_utc - _begin(named, zone) < named.span:
        doubts = tuple(doubt for doubt in named.doubts if doubt not in ("date_only", "hour_only"))
        return replace(found, camera=named.camera, time_zone=zone, doubts=doubts)
    start, doubts = _settle(named, found)
    if start > end + NEARBY:
        doubts = (*doubts, "after_file_time")
    source: ClockSource = "path_date" if named.span else "path_pattern"
    return Clock(camera=named.camera, start_utc=start, source=source, time_zone=zone, doubts=doubts)


def _begin(named: NamedClock, zone: str) -> datetime:
    """Returns the beginning of the day or hour that a path names."""
    local = (named.start_utc or datetime.now(tz=UTC)).astimezone(ZoneInfo(zone))
    is_day = named.span > timedelta(hours=1)
    return local.replace(hour=0 if is_day else local.hour, minute=0, second=0, microsecond=0).astimezone(UTC)


def _settle(named: NamedClock, found: Clock) -> tuple[datetime, tuple[str, ...]]:
    """Chooses between two equal times of the day on which clocks are put back, if the container knows."""
    start = named.start_utc or found.start_utc
    if named.other_utc and found.source.startswith("container"):
        for moment in (start, named.other_utc):
            if abs(moment - found.start_utc) <= NEARBY:
                return moment, tuple(doubt for doubt in named.doubts if doubt != "repeated_hour")
    return start, named.doubts


def _by_file(end: datetime, duration: timedelta) -> Clock:
    source: ClockSource = "file_end" if duration else "file_time"
    return Clock(camera="", start_utc=end - duration, source=source, time_zone="", doubts=("file_time",))


def _by_container(given: datetime, end: datetime, duration: timedelta, zone: str) -> Clock:
    """Compares a container's time with the file's: it may be the end, or the local time written as if it were UTC."""
    clock = Clock(camera="", start_utc=given, source="container", time_zone="")
    if not duration or abs(given + duration - end) <= NEARBY:
        return clock
    if abs(given - end) <= NEARBY:
        return replace(clock, start_utc=given - duration, source="container_end", doubts=("container_end",))
    for length, doubts in ((duration, ()), (timedelta(0), ("container_end",))):
        shift = end - length - given
        own = -(given.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0))  # not always in steps: Nepal's is 5:45
        step = own if abs(shift - own) <= NEARBY else round(shift / ZONE_STEP) * ZONE_STEP
        if abs(shift) <= FARTHEST_ZONE and abs(shift - step) <= NEARBY:
            moved = given + step
            source: ClockSource = "container" if length else "container_end"
            return replace(
                clock, start_utc=moved - duration + length, source=source, doubts=(*doubts, "container_zone")
            )
    return replace(clock, doubts=("after_file_time",)) if given > end + NEARBY else clock


DOUBTS = {
    "file_time": "have no time except that of their file, which changes when a file is copied",
    "date_only": "have a date but no time of day; 12:00 is assumed",
    "hour_only": "have a date and an hour, but no minute",
    "day_or_month": "have a date whose day and month may be swapped",
    "short_year": "have a year of two digits",
    "two_dates": "have different dates in their path; the one in the file name counts",
    "impossible_date": "have an impossible date in their path, which is ignored",
    "clock_not_set": "have a date before 1990 or in January 2000, as if the camera's clock was not set; it is ignored",
    "clock_reset": "are of a January 1st, far from all other videos of their camera, whose clock may have been reset",
    "repeated_hour": "began in the hour that occurs twice when clocks are put back; it is unknown which one",
    "missing_hour": "have a time that was skipped when clocks were put forward; the camera's clock was not put forward",
    "container_end": "have a container whose time is the end of the recording; the start is computed",
    "container_zone": "have a container whose time is local, not UTC; it is corrected by the file's time",
    "after_file_time": "begin after their file was last changed; the time zone or the camera's clock may be wrong",
    "frame_rate": "hold pictures without times; 25 a second are assumed, so times within them may be wrong",
    "same_time": "begin at the same moment as another video of their camera",
}


def mark_same_times(videos: Sequence[Video]) -> list[Video]:
    """Marks the videos that begin at the same moment as another one of their camera."""
    counts = Counter((video.camera, video.start_utc) for video in videos)
    return [
        replace(video, clock_doubt=f"{video.clock_doubt} same_time".strip())
        if counts[video.camera, video.start_utc] > 1
        else video
        for video in videos
    ]


def describe_doubts(videos: Sequence[Video]) -> tuple[str, ...]:
    """Says for each doubt how many videos it is about, and where to find them."""
    counts = Counter(doubt for video in videos for doubt in video.clock_doubt.split())
    return tuple(
        f"{counts[doubt]} of {len(videos)} new videos {text} (videos.clock_doubt: {doubt})"
        for doubt, text in DOUBTS.items()
        if counts[doubt]
    )


def describe_paths(reader: PathReader, paths: Sequence[str]) -> tuple[str, ...]:
    """Says which of the user's patterns match no path of the archive, and whether the zone of paths may be wrong."""
    stems = [strip_suffix(path) for path in reader.known]
    unmatched = [item.text for item in reader.patterns if not any(item.regex.fullmatch(stem) for stem in stems)]
    notes = tuple(f"the camera pattern {text!r} matches no path; built-in rules are used instead" for text in unmatched)
    return (*(notes if paths else ()), *_describe_zone(reader, paths), *_describe_twins(reader))


def _describe_twins(reader: PathReader) -> tuple[str, ...]:
    """Names cameras that may be one, because their names differ only in capital letters."""
    same: dict[str, set[str]] = defaultdict(set)
    for clock in reader.known.values():
        same[clock.camera.casefold()].add(clock.camera)
    return tuple(
        f"the cameras {' and '.join(map(repr, sorted(names)))} differ only in capital letters; "
        "if they are one, rename a folder or name both in [[cameras]]"
        for names in same.values()
        if len(names) > 1
    )


def _describe_zone(reader: PathReader, paths: Sequence[str]) -> tuple[str, ...]:
    """Says so if the files' times are some whole hours before or after those in their paths, all the same number.

    Recordings shorter than an hour, ended when their files were last changed, differ by less than an hour.
    """
    clocks = {path: reader.known[path] for path in paths if path in reader.known and reader.known[path].is_exact}
    starts = {path: clock.start_utc.timestamp() for path, clock in clocks.items() if clock.start_utc}
    hours = {int((reader.modified[path] - start - SLACK_SECONDS) // 3600) for path, start in starts.items()}
    if len(hours) != 1 or 0 in hours or max(starts.values()) - min(starts.values()) < MIN_SPREAD_SECONDS:
        return ()
    shift = hours.pop()
    if abs(shift) > FARTHEST_ZONE / timedelta(hours=1):
        return ()
    zones = ", ".join(sorted({clock.time_zone for clock in clocks.values()}))
    return (
        f"the times of all {len(starts)} files are {abs(shift)} h {'after' if shift > 0 else 'before'} those in their "
        f"paths; check that time_zone, now {zones}, is right",
    )

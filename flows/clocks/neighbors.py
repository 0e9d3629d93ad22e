"""Reads all paths of an archive together: one path often tells what another leaves open."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from flows.clocks.cameras import NO_CAMERA, SPECIFIC, Naming, choose_camera, rank
from flows.clocks.local_time import (
    choose_fold,
    choose_fold_by_end,
    is_missing,
    is_repeated,
    to_utc,
    to_utc_as_before_midnight,
)
from flows.clocks.names import PathTime, read_name
from flows.clocks.patterns import PathPattern, read_pattern

NOON = time(12)  # stands for a day whose time of day is unknown
LONGEST = timedelta(hours=1)  # of a recording, where only its end tells which of two equal times it began at
ALONE = timedelta(days=30)  # a January 1st this far from all else of its camera may be where its clock began again
NEAR = timedelta(days=2)  # a date this close before the file's time is the date of the recording


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedClock:
    """Camera and start of a video as its path gives them, in the light of its neighbors."""

    camera: str
    start_utc: datetime | None  # None: the path gives no date
    span: timedelta  # how much later it may be: zero, or an hour or a day if the path says no more
    time_zone: str
    doubts: tuple[str, ...] = ()
    other_utc: datetime | None = None  # the second of two equal times, if it is open which one is meant

    @property
    def is_dated(self) -> bool:
        """Whether the path gives at least the day."""
        return self.start_utc is not None

    @property
    def is_exact(self) -> bool:
        """Whether the path leaves nothing open that a container may tell."""
        return self.is_dated and not self.span and self.other_utc is None


def read_paths(modified: Mapping[str, float], patterns: Sequence[PathPattern], time_zone: str) -> dict[str, NamedClock]:
    """Reads paths relative to an archive.

    Args:
        modified: For each path, when its file was last changed, in seconds since 1970.
        patterns: The user's patterns, which come before the built-in rules.
        time_zone: The zone of cameras whose path or pattern has none.
    """
    read = _without_hours({path: read_pattern(path, tuple(patterns)) or read_name(path) for path in modified})
    cameras = _name_cameras(read)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, found in read.items():
        groups[cameras[path], found.time_zone or time_zone].append(path)
    evidence = Counter(found.order for found in read.values())
    clocks = {}
    for (camera, zone), paths in groups.items():
        for path, clock in _read_camera({path: read[path] for path in sorted(paths)}, modified, zone, evidence).items():
            clocks[path] = replace(clock, camera=camera)
    return clocks


def _without_hours(read: Mapping[str, PathTime]) -> dict[str, PathTime]:
    """Removes folders below a date that are numbers and, in every path of their kind, the hour of the recording."""
    hours: dict[tuple[str, ...], set[bool]] = defaultdict(set)
    for found in read.values():
        if found.time_of_day and found.naming.below[:1]:
            folder = found.naming.below[0]
            is_hour = folder.isdecimal() and len(folder) <= 2 and int(folder) == found.time_of_day.hour
            hours[found.naming.above].add(is_hour)
    return {
        path: replace(found, naming=replace(found.naming, below=found.naming.below[1:]))
        if found.naming.below and hours[found.naming.above] == {True}
        else found
        for path, found in read.items()
    }


def _name_cameras(read: Mapping[str, PathTime]) -> dict[str, str]:
    labels: dict[tuple[str, ...], set[str]] = defaultdict(set)  # names in file names, by folder and kind of name
    for found in read.values():
        labels[_kind_of(found.naming)].add(found.naming.label)
    names = {
        path: choose_camera(found.naming, labels=len(labels[_kind_of(found.naming)])) for path, found in read.items()
    }
    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for path, name in names.items():
        places[name].add(read[path].naming.parents)
    for path, found in read.items():
        if found.camera:
            names[path] = found.camera
        elif len(places[names[path]]) > 1:
            names[path] = "-".join((*found.naming.parents, names[path]))
    lenses: dict[str, set[str]] = defaultdict(set)
    for path, name in names.items():
        lenses[name].add(read[path].lens)
    return {path: _tidy(_with_lens(name, read[path], lenses[name])) for path, name in names.items()}


def _with_lens(name: str, found: PathTime, lenses: set[str]) -> str:
    """Adds the lens where one name stands for several, as for the front and the rear of a dashboard camera."""
    if found.camera or "" in lenses or len(lenses) == 1:
        return name
    return found.lens if name == NO_CAMERA else f"{name}-{found.lens}"


def _tidy(name: str) -> str:
    """Writes a name in the usual way, so that equal looks are one camera: macOS takes letters and accents apart."""
    return " ".join(unicodedata.normalize("NFC", name).split()) or NO_CAMERA


def _kind_of(naming: Naming) -> tuple[str, ...]:
    return (*naming.parents, naming.folder, str(rank(naming.label)))


def _read_camera(
    read: Mapping[str, PathTime], modified: Mapping[str, float], zone: str, evidence: Mapping[str, int]
) -> dict[str, NamedClock]:
    """Reads the paths of one camera, in order of their names."""
    own = Counter(found.order for found in read.values())
    local: dict[str, datetime] = {}
    clocks: dict[str, NamedClock] = {}
    nothing = NamedClock(camera="", start_utc=None, span=timedelta(0), time_zone=zone)
    for path, found in read.items():
        if found.moment:
            clocks[path] = replace(nothing, start_utc=found.moment)
        elif found.dates:
            day, doubts = _choose_day(found, datetime.fromtimestamp(modified[path], tz=UTC), own, evidence)
            local[path] = datetime.combine(day, found.time_of_day or NOON)
            clocks[path] = _with_span(replace(nothing, doubts=found.doubts + doubts), found.parts)
        else:
            clocks[path] = replace(nothing, doubts=found.doubts)
    for path in _find_resets(local):
        clocks[path] = replace(clocks[path], doubts=(*clocks[path].doubts, "clock_reset"))
    _spread(local, {path for path in local if not read[path].parts})
    fixed = {path: found.offset for path, found in read.items() if path in local and found.offset is not None}
    for path, offset in fixed.items():
        clocks[path] = replace(clocks[path], start_utc=(local.pop(path) - offset).replace(tzinfo=UTC))
    told = {path: _fold_of_span(moment, read[path].end, zone) for path, moment in local.items()}
    return clocks | _place(
        local, clocks, modified, zone, {path: fold for path, fold in told.items() if fold is not None}
    )


def _find_resets(local: Mapping[str, datetime]) -> list[str]:
    """Returns the paths of a January 1st near which their camera has no other day."""
    days = {moment.date() for moment in local.values()}
    alone = {
        day
        for day in days
        if (day.month, day.day) == (1, 1) and len(days) > 1 and all(abs(day - other) > ALONE for other in days - {day})
    }
    return [path for path, moment in local.items() if moment.date() in alone]


def _fold_of_span(moment: datetime, end: time | None, zone: str) -> int | None:
    return choose_fold_by_end(moment, zone, end, LONGEST) if end and is_repeated(moment, zone) else None


def _with_span(clock: NamedClock, parts: int) -> NamedClock:
    if parts > 1:
        return clock
    doubt, span = ("hour_only", timedelta(hours=1)) if parts else ("date_only", timedelta(days=1))
    return replace(clock, doubts=(*clock.doubts, doubt), span=span)


def _choose_day(
    found: PathTime, modified: datetime, own: Mapping[str, int], evidence: Mapping[str, int]
) -> tuple[date, tuple[str, ...]]:
    """Chooses between day first and month first: by the camera's paths, all paths, the file's time, or by habit."""
    if len(found.dates) == 1:
        return found.dates[0], ()
    for counts in () if found.order == "year" else (own, evidence):
        if bool(counts["day"]) != bool(counts["month"]):
            return found.dates[0 if counts["day"] else 1], ()
    near = [day for day in found.dates if timedelta(-1) <= modified - datetime.combine(day, NOON, tzinfo=UTC) <= NEAR]
    if len(near) == 1:
        return near[0], ()
    if found.order == "year":
        return found.dates[0], ()  # the doubt about short years stands for it
    return found.dates[1 if found.half_day else 0], ("day_or_month",)


def _spread(local: dict[str, datetime], dated: set[str]) -> None:
    """Puts videos of which only the day is known one second after the other, so that no two begin at one moment."""
    numbers: Counter[datetime] = Counter()
    for path in sorted(dated):
        noon = local[path]
        local[path] += timedelta(seconds=numbers[noon])
        numbers[noon] += 1


def _place(
    local: Mapping[str, datetime],
    clocks: Mapping[str, NamedClock],
    modified: Mapping[str, float],
    zone: str,
    told: Mapping[str, int],
) -> dict[str, NamedClock]:
    """Converts times of one camera to UTC. ``told`` are choices between two equal times that the path tells."""
    stood = {moment.date() for moment in local.values() if is_missing(moment, zone)}
    repeated = {path: moment for path, moment in local.items() if is_repeated(moment, zone)}
    folds = _follow(local, repeated) | _choose_folds(repeated, modified, zone) | dict(told)
    placed = {}
    for path, moment in local.items():
        start, doubts, other = to_utc(moment, zone, folds.get(path, 0)), clocks[path].doubts, None
        if path in repeated and path not in folds:
            doubts, other = (*doubts, "repeated_hour"), to_utc(moment, zone, 1)
        elif moment.date() in stood and to_utc_as_before_midnight(moment, zone) != start:
            start, doubts = to_utc_as_before_midnight(moment, zone), (*doubts, "missing_hour")
        elif is_missing(moment, zone):
            doubts = (*doubts, "missing_hour")
        placed[path] = replace(clocks[path], start_utc=start, doubts=doubts, other_utc=other)
    return placed


def _choose_folds(repeated: Mapping[str, datetime], modified: Mapping[str, float], zone: str) -> dict[str, int]:
    """Chooses between two equal times: of two files with one time, the earlier is the first; otherwise by the end."""
    same: dict[datetime, list[str]] = defaultdict(list)
    for path, moment in repeated.items():
        same[moment].append(path)
    folds: dict[str, int] = {}
    for moment, paths in same.items():
        ends = {path: choose_fold(moment, zone, _utc(modified[path]), LONGEST) for path in paths}
        if len(paths) == 2 and None in ends.values():
            first = min(paths, key=lambda path: (len(path), path))
            folds |= {path: int(path != first) for path in paths}
        else:
            folds |= {path: fold for path, fold in ends.items() if fold is not None}
    return folds


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _follow(local: Mapping[str, datetime], repeated: Mapping[str, datetime]) -> dict[str, int]:
    """Follows a recorder that begins files at equal distances into the repeated hour, from before and from after."""
    folds: dict[datetime, int] = {}
    for day in {moment.date() for moment in repeated.values()}:
        alone = [
            moment for moment, number in Counter(repeated.values()).items() if number == 1 and moment.date() == day
        ]
        sure = sorted(moment for moment in local.values() if moment.date() == day and moment not in repeated.values())
        if alone and len(sure) > 1:
            step = sorted(later - earlier for earlier, later in pairwise(sure))[(len(sure) - 1) // 2]
            before = _chain(alone, max((moment for moment in sure if moment < min(alone)), default=None), step)
            after = _chain(alone, min((moment for moment in sure if moment > max(alone)), default=None), -step)
            folds |= dict.fromkeys(before - after, 0) | dict.fromkeys(after - before, 1)
    return {path: folds[moment] for path, moment in repeated.items() if moment in folds}


def _chain(moments: Iterable[datetime], start: datetime | None, step: timedelta) -> set[datetime]:
    """Returns the moments that follow each other in steps of equal length, give or take a tenth."""
    chain: set[datetime] = set()
    ordered = sorted(moments, reverse=step < timedelta(0))
    for moment in ordered if start else ():
        if start and abs((moment - start) - step) <= abs(step) / 10:
            chain.add(moment)
            start = moment
    return chain


def names_place(camera: str) -> bool:
    """Returns whether a camera's name says where it is, and is not a number or a word of recorders."""
    return camera != NO_CAMERA and rank(camera) == SPECIFIC

"""Reads camera, date and time from a path, whatever recorder wrote it. Knows nothing of other paths."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from flows.clocks.cameras import Naming, name_parts
from flows.clocks.dates import FoundDate, find_epoch, find_impossible, iter_dates
from flows.clocks.times import FoundTime, find_end, find_time
from flows.clocks.tokens import Token, component_of, tokenize

_FRIGATE = re.compile(r"(?:.*/)?\d{4}-\d\d(?:-\d\d|/\d\d)/\d\d/[^/]*[^\W\d_][^/]*/\d\d\.\d\d")  # its times are UTC
_PIXEL = re.compile(r"(?:.*/)?PXL_\d{8}_\d{9}[^/]*")  # phones that write UTC
MAX_TOKENS = 200  # of a path; a longer one is no recorder's, and would take long
UNSET_YEAR = 1990  # a camera whose clock was never set begins in 1970 or 1980,
UNSET_MONTH = (2000, 1)  # or in January 2000
_LENS = re.compile(r"(?:[A-Z]{2,4}_?)?[0-9]{2,14}(?:[_-][0-9]{2,8})*[_-]?[NEPMIT]?([FRBI])[HLS]?")
_LENSES = {"F": "front", "R": "rear", "B": "rear", "I": "inside"}
FARTHEST_ZONE = timedelta(hours=26)  # between two clocks that show the same moment in different zones


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTime:
    """What a path says about the start of its video."""

    naming: Naming
    dates: tuple[date, ...] = ()  # two where the order of day and month is open, day first
    time_of_day: time | None = None
    parts: int = 0  # of the time: 1 hour, 2 also minute, 3 also second
    offset: timedelta | None = None  # from UTC, if known
    moment: datetime | None = None  # of a number of seconds since 1970
    end: time | None = None  # of the recording, if the name is a span
    lens: str = ""  # of a dashboard camera that has several
    half_day: bool = False  # written with AM or PM
    order: str = ""  # of day and month where the year is last: day or month (which is first), or open
    doubts: tuple[str, ...] = ()
    time_zone: str = ""  # of a pattern of the user's, otherwise empty
    camera: str = ""  # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    date: FoundDate
    time: FoundTime | None


def read_name(path: str) -> PathTime:
    """Reads a path relative to the archive."""
    stem = strip_suffix(path)
    tokens = tokenize(stem)
    if len(tokens) > MAX_TOKENS:
        return PathTime(naming=name_parts(stem, (), None))
    found = [_Found(date=item, time=find_time(tokens, item)) for item in iter_dates(tokens)]
    best = max(found, key=lambda item: _weight(tokens, item), default=None)
    epoch = find_epoch(tokens)
    if epoch and best and _contradicts(epoch.moment, best):
        epoch = None
    end = _find_end(tokens, best, found) if best and not epoch else None
    spans = [*_iter_spans(found), *(end.spans if end else ())]
    if epoch:
        spans.append((epoch.first, epoch.last))
    impossible = None if best or epoch else find_impossible(tokens)
    spans += [impossible] if impossible else []
    positions = [(tokens[first].start, tokens[last].stop) for first, last in spans]
    date_start = min(positions)[0] if best or epoch else None
    naming = name_parts(stem, _merge(positions), date_start)
    if epoch:
        return PathTime(naming=naming, moment=epoch.moment, parts=3)
    if not best:
        return PathTime(naming=naming, doubts=("impossible_date",) if impossible else ())
    combined = _combine(stem, naming, best, found)
    return replace(combined, end=end.value if end else None, lens=_find_lens(stem))


def _find_lens(stem: str) -> str:
    """Names the lens by the letters with which dashboard cameras end a name that begins with date and time."""
    match = _LENS.fullmatch(stem.rpartition("/")[2])
    return _LENSES[match[1]] if match else ""


def is_unset(day: date) -> bool:
    """Returns whether a date is one at which clocks begin that were never set."""
    return day.year < UNSET_YEAR or (day.year, day.month) == UNSET_MONTH


def strip_suffix(path: str) -> str:
    """Removes the suffix of a file name."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _find_end(tokens: Sequence[Token], best: _Found, found: Sequence[_Found]) -> FoundTime | None:
    """Returns the end of a span: the next date's time, or a time that follows the start."""
    if not best.time:
        return None
    last = max(best.date.last, *(stop for _, stop in best.time.spans)) if best.time.spans else best.date.last
    after = next((item for item in found if item.date.first > last), None)
    if after and after.time and component_of(tokens, after.date.first) == component_of(tokens, last):
        return after.time
    return find_end(tokens, last)


def _weight(tokens: Sequence[Token], item: _Found) -> tuple[int, int, int]:
    """Prefers dates with an exact time, then in the file name, then the first: the start of a span."""
    return item.time.parts if item.time else 0, component_of(tokens, item.date.first), -item.date.first


def _contradicts(moment: datetime, item: _Found) -> bool:
    """Returns whether a number can't be the seconds since 1970 of a date, so that it is another number."""
    found = datetime.combine(item.date.dates[0], item.time.value if item.time else time(12), tzinfo=UTC)
    return len(item.date.dates) == 1 and abs(moment - found) > FARTHEST_ZONE


def _iter_spans(found: Sequence[_Found]) -> Iterator[tuple[int, int]]:
    for item in found:
        yield item.date.first, item.date.last
        yield from item.time.spans if item.time else ()


def _merge(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _combine(stem: str, naming: Naming, best: _Found, found: Sequence[_Found]) -> PathTime:
    others = [item.date.dates[0] for item in found if item is not best and len(item.date.dates) == 1]
    agreeing = tuple(day for day in best.date.dates if day in others)
    dates = agreeing or best.date.dates
    doubts = []
    if any(min(abs(day - other) for day in dates) > timedelta(days=1) for other in others):
        doubts.append("two_dates")
    if best.date.short_year:
        doubts.append("short_year")
    if any(is_unset(day) for day in dates):
        return PathTime(naming=naming, doubts=("clock_not_set",))
    offset = best.time.offset if best.time else None
    if _FRIGATE.fullmatch(stem) or _PIXEL.fullmatch(stem):
        offset = timedelta(0)
    return PathTime(
        naming=naming,
        dates=dates,
        time_of_day=best.time.value if best.time else None,
        parts=best.time.parts if best.time else 0,
        offset=offset,
        order=best.date.order if len(dates) == 1 or not agreeing else "",
        half_day=bool(re.search(r"\d[\s_-]?[ap]m(?![^\W_])", stem, re.IGNORECASE)),
        doubts=tuple(doubts),
    )

"""Finds the time of day that belongs to a date in a path, with its zone if the path names one."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta

from flows.clocks.dates import FoundDate
from flows.clocks.tokens import Token, are_adjacent, component_of, is_whole_component

_BEFORE_TIME = frozenset({"t", "at", "um", "d", "日"})  # words that may stand between a date and its time
_SEPARATORS = frozenset("-_.: ,hm時时点分")
_OFFSET = re.compile(
    r"[ _]?(?=[UGZ+-])(?:(?P<zone>UTC|GMT|Z(?![^\W_]))[ ]?)?"
    r"(?:(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?:[:.]?(?P<minutes>[0-9]{2}))?(?![0-9]))?"
)
_HALF_DAY = re.compile(r"[\s_-]?([ap])\.?\s?m(?![^\W_])\.?", re.IGNORECASE)  # macOS writes a narrow space before AM
_LONGEST_OFFSET = 14 * 60  # minutes
_SIZE = {6: 3, 9: 3, 4: 2}  # digits of a compact time: how many parts it has, without fractions


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTime:
    """A time of day in a path."""

    value: time
    parts: int  # 1: hour, 2: hour and minute, 3: also the second
    offset: timedelta | None = None  # from UTC, if the path says it
    spans: tuple[tuple[int, int], ...] = ()  # first and last place of tokens that belong to it


def find_time(tokens: Sequence[Token], found: FoundDate) -> FoundTime | None:
    """Finds the time of day of a date: in the same number, next to it, in the file name, or in folders below."""
    if len(found.rest) > 2:
        value, parts = _from_digits(found.rest)
        read = _with_zone(tokens, found.last, FoundTime(value=value, parts=parts))
    else:
        read = (
            _next_to(tokens, found)
            or _anywhere_after(tokens, found)
            or _in_folders(tokens, found)
            or _just_before(tokens, found)
        )
    before = found.first - 1
    if read and before >= 0 and tokens[before].text in {"GMT", "UTC"}:  # as in Zoom's GMT20260314-091500
        return replace(read, offset=timedelta(0), spans=(*read.spans, (before, before)))
    return read


def find_end(tokens: Sequence[Token], last: int) -> FoundTime | None:
    """Finds the time that follows the last token of a start, as the end of a span has it."""
    place = next(_numbers(tokens, last + 1), None)
    if place is None or not are_adjacent(tokens, last, place, frozenset({"to", "e"})):
        return None
    return _read(tokens, place, least=3)


def _from_digits(text: str) -> tuple[time, int]:
    parts = [int(text[index : index + 2]) for index in range(0, min(6, len(text)), 2)]
    hour, minute, second = (*parts, 0, 0)[:3]
    return time(hour, minute, second, int(text[6:12].ljust(6, "0"))), len(parts)


def _next_to(tokens: Sequence[Token], found: FoundDate) -> FoundTime | None:
    place = next(_numbers(tokens, found.last + 1), None)
    if place is None or not are_adjacent(tokens, found.last, place, _BEFORE_TIME):
        return None
    is_sequence = len(tokens[place].text) == 4 and tokens[place].text < "0100"  # rather the number of a file
    return None if is_sequence else _read(tokens, place, least=2)


def _anywhere_after(tokens: Sequence[Token], found: FoundDate) -> FoundTime | None:
    """Finds a whole time to the second, which little else looks like."""
    for place in _numbers(tokens, found.last + 1):
        if not _may_be_id(tokens, place):
            read = _read(tokens, place, least=3)
            if read:
                return read
    return None


def _begins_span(tokens: Sequence[Token], place: int) -> bool:
    """Returns whether a number is the hour of ``S10-15-00E10-16-00``."""
    return tokens[place - 1].text == "S" and _goes_on(tokens, place)


def _may_be_id(tokens: Sequence[Token], place: int) -> bool:
    """Returns whether a number is rather an event's: attached to a word, or both of a folder and of its file."""
    same = [index for index, token in enumerate(tokens) if len(token.text) >= 6 and token.text == tokens[place].text]
    is_repeated = len(same) > 1 and any(is_whole_component(tokens, index) for index in same)
    is_attached = tokens[place - 1].kind == "word" and not _begins_span(tokens, place)
    return is_attached or is_repeated


def _in_folders(tokens: Sequence[Token], found: FoundDate) -> FoundTime | None:
    """Reads ``10/15/00``, ``10/front_door/06.56``, ``10/15M00S`` and ``10-15`` below a date."""
    hour = [int(found.rest)] if found.rest else []
    places: list[int] = []
    if [token.text for token in tokens[found.last + 1 : found.last + 4 : 2]] == ["D", "H"]:  # 2026Y03M14D10H
        places.append(found.last + 2)
    for place in _numbers(tokens, places[-1] + 1 if places else found.last + 1):
        is_first = tokens[place - 1].text == "/"
        if is_first and _is_in_file_name(tokens, place) and not (hour or places):
            return _read(tokens, place, least=2) if len(tokens[place].text) <= 2 else None
        goes_on = bool(places) and places[-1] == place - 2 and _goes_on(tokens, places[-1])
        is_begun = is_first and (is_whole_component(tokens, place) or _is_in_file_name(tokens, place))
        if len(tokens[place].text) == 2 and (is_begun or goes_on) and len(hour) + len(places) < 3:
            places.append(place)
    return _build([*hour, *(int(tokens[place].text) for place in places)], tuple((place, place) for place in places))


def _is_in_file_name(tokens: Sequence[Token], place: int) -> bool:
    return all(token.text != "/" for token in tokens[place:])


def _just_before(tokens: Sequence[Token], found: FoundDate) -> FoundTime | None:
    """Reads ``10-15-00_14-03-2026`` and ``101500_20260314``."""
    for place in _numbers(tokens, 0):
        if place >= found.first or component_of(tokens, place) != component_of(tokens, found.first):
            continue
        read = _read(tokens, place, least=3)
        if read and read.spans[-1][1] < found.first and are_adjacent(tokens, read.spans[-1][1], found.first):
            return read
    return None


def _numbers(tokens: Sequence[Token], start: int) -> Iterator[int]:
    return (place for place in range(start, len(tokens)) if tokens[place].kind == "number")


def _read(tokens: Sequence[Token], place: int, *, least: int) -> FoundTime | None:
    """Reads a time that begins with the number at a place and has at least the given number of parts."""
    size = _SIZE.get(len(tokens[place].text), 0)
    if size >= least:
        text = tokens[place].text
        if text[:2] < "24" and text[2:4] < "60" and text[4:6] < "60":
            value, parts = _from_digits(text)
            return _with_zone(tokens, place, FoundTime(value=value, parts=parts, spans=((place, place),)))
    places = [place]
    while len(places) < 3 and _goes_on(tokens, places[-1]):
        places.append(places[-1] + 2)
    if len(places) < least:
        return None
    last = places[-1]
    fraction = _fraction(tokens, last) if len(places) == 3 else ""
    last += 2 if fraction else _has_unit(tokens, last)
    found = _build([int(tokens[place].text) for place in places], ((places[0], last),))
    return (
        _with_zone(tokens, last, replace(found, value=found.value.replace(microsecond=int(fraction.ljust(6, "0")))))
        if found
        else None
    )


def _goes_on(tokens: Sequence[Token], place: int) -> bool:
    if place + 2 >= len(tokens) or tokens[place + 1].text.lower() not in _SEPARATORS:
        return False
    after = tokens[place + 2]
    return after.kind == "number" and len(after.text) == 2 and len(tokens[place].text) <= 2


def _build(values: Sequence[int], spans: tuple[tuple[int, int], ...]) -> FoundTime | None:
    if not values or values[0] > 23 or max(values) > 59:
        return None
    hour, minute, second = (*values, 0, 0)[:3]
    return FoundTime(value=time(hour, minute, second), parts=len(values), spans=spans)


def _fraction(tokens: Sequence[Token], last: int) -> str:
    """Returns the three or six digits that follow the seconds after a point or comma."""
    if last + 2 >= len(tokens) or tokens[last + 1].text not in {".", ","}:
        return ""
    text = tokens[last + 2].text
    return text if re.fullmatch("[0-9]{3}|[0-9]{6}", text) else ""


def _has_unit(tokens: Sequence[Token], last: int) -> bool:
    """Returns whether the letter of the seconds follows, as in ``10h15m00s``."""
    return last + 1 < len(tokens) and tokens[last + 1].text.lower() == "s" and tokens[last - 1].text.lower() == "m"


def _with_zone(tokens: Sequence[Token], last: int, found: FoundTime) -> FoundTime | None:
    """Adds AM or PM and the zone that follow a time; None if it is no time of a 12-hour clock."""
    place, value = last + 1, found.value
    half_day = _HALF_DAY.match("".join(token.text for token in tokens[place : place + 6]))
    if half_day:
        if not 1 <= value.hour <= 12:
            return None
        is_afternoon = half_day[1] in "pP"
        value, place = value.replace(hour=value.hour % 12 + 12 * is_afternoon), _skip(tokens, place, half_day.end())
    offset, stop = _read_offset(tokens, place)
    spans = found.spans if stop == last + 1 else (*found.spans, (last + 1, stop - 1))
    return replace(found, value=value, offset=offset, spans=spans)


def _read_offset(tokens: Sequence[Token], place: int) -> tuple[timedelta | None, int]:
    """Reads ``Z``, ``UTC``, ``GMT+1``, ``+0100`` or ``+01:00``; returns it and the place after it.

    A minus alone usually begins the end of a span or a number, so it counts only in ISO times (``T101500-0500``).
    """
    match = _OFFSET.match("".join(token.text for token in tokens[place:]))
    if not match:
        return None, place
    is_iso = any(token.text == "T" for token in tokens[:place]) and match["minutes"]
    minutes = 60 * int(match["hours"] or 0) + int(match["minutes"] or 0)
    if not (match["zone"] or match["sign"] == "+" or is_iso) or minutes > _LONGEST_OFFSET:
        return None, place
    return timedelta(minutes=-minutes if match["sign"] == "-" else minutes), _skip(tokens, place, match.end())


def _skip(tokens: Sequence[Token], place: int, length: int) -> int:
    """Returns the place after tokens of a given length together."""
    while length > 0:
        length -= len(tokens[place].text)
        place += 1
    return place

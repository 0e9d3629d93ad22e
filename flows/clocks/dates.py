"""Finds dates in a path: written in digits or with a month's name, or as seconds since 1970."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from flows.clocks.tokens import Token, are_adjacent, is_whole_component, read_separated

FIRST_YEAR, LAST_YEAR = 1970, 2200  # other years in a path are not dates; conversions fail near the years 1 and 9999
FIRST_EPOCH, LAST_EPOCH = 946_684_800, 4_102_444_800  # the years 2000 to 2100
_EPOCH_DIGITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
_DATE_SEPARATORS = "-_./ 年月ym"  # 2026Y03M14D, as cameras with the firmware yi-hack write
_YEAR, _SHORT, _TWO = range(4, 5), range(1, 3), range(2, 3)
LONGEST_STAMP = 20  # digits of a date and time with microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDate:
    """A date in a path. With two dates, the order of day and month is open; the first has the day first."""

    dates: tuple[date, ...]
    first: int  # place of its first token
    last: int  # place of its last token
    rest: str = ""  # digits after the date in the same number: a time of day
    short_year: bool = False  # written with two digits
    order: str = ""  # of day and month where the year is last: day or month (which is first), or open; or year


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEpoch:
    """Seconds since 1970 in a path."""

    moment: datetime
    first: int
    last: int


def to_date(year: str | int, month: str | int, day: str | int) -> date | None:
    """Returns a date if there is one with these numbers and a plausible year."""
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def iter_dates(tokens: Sequence[Token]) -> Iterator[FoundDate]:
    """Yields the dates of a path, from left to right. Dates do not overlap."""
    free = 0
    for place, token in enumerate(tokens):
        if place >= free and (token.kind == "number" or token.month):
            found = _separated(tokens, place) or _compact(tokens, place)
            if found:
                yield found
                free = found.last + 1


def _separated(tokens: Sequence[Token], place: int) -> FoundDate | None:
    year_first = _year_first(tokens, place)
    if year_first:
        return FoundDate(dates=(year_first,), first=place, last=place + 4)
    year_last = read_separated(tokens, place, (_SHORT, _SHORT, _YEAR), _DATE_SEPARATORS)
    if year_last and _may_be_year_last(tokens, year_last):
        dates = _both_orders(*(tokens[index] for index in year_last))
        if dates:
            order = _order_of(dates, tokens[place].text)
            return FoundDate(dates=dates, first=place, last=year_last[-1], order=order)
    return _with_joined_day(tokens, place) or _short_folder(tokens, place) or _in_six_folders(tokens, place)


def _with_joined_day(tokens: Sequence[Token], place: int) -> FoundDate | None:
    """Reads ``2026_0314_101500`` of dashboard cameras: only a time next to it makes it a date."""
    places = read_separated(tokens, place, (_YEAR, _YEAR), "_-") if len(tokens[place].text) == 4 else None
    if not places or not _has_time_after(tokens, places[1]):
        return None
    found = to_date(tokens[place].text, tokens[places[1]].text[:2], tokens[places[1]].text[2:])
    return FoundDate(dates=(found,), first=place, last=places[1]) if found else None


def _short_folder(tokens: Sequence[Token], place: int) -> FoundDate | None:
    """Reads the folder ``26-03-14`` of a file that begins with a time, as Blink writes it, or else ``14-03-26``."""
    is_folder = (
        place + 6 < len(tokens) and tokens[place + 5].text == "/" and (not place or tokens[place - 1].text == "/")
    )
    places = read_separated(tokens, place, (_TWO,) * 3, "-_.") if is_folder else None
    if not places or not read_separated(tokens, place + 6, (_TWO,) * 3, "-_.:"):
        return None
    numbers = [tokens[index].text for index in places]
    if not all(text.isdigit() for text in numbers):
        return None
    both = (to_date(f"20{numbers[0]}", numbers[1], numbers[2]), to_date(f"20{numbers[2]}", numbers[1], numbers[0]))
    dates = tuple(dict.fromkeys(item for item in both if item))
    return FoundDate(dates=dates, first=place, last=place + 4, short_year=True, order="year") if dates else None


def _year_first(tokens: Sequence[Token], place: int) -> date | None:
    """Reads ``2026-03-14``, ``2026/03/14``, ``2026-03/14`` and ``2026/03-14``; the last must be all of the folder."""
    places = read_separated(tokens, place, (_YEAR, _SHORT, _SHORT), _DATE_SEPARATORS)
    if not places:
        return None
    is_mixed = tokens[place + 1].text == "/" and tokens[place + 3].text != "/"
    if is_mixed and not (place + 5 < len(tokens) and tokens[place + 5].text == "/"):
        return None
    year, month, day = (tokens[index] for index in places)
    return to_date(year.text, month.month or month.text, day.text)


def _may_be_year_last(tokens: Sequence[Token], places: Sequence[int]) -> bool:
    """Returns whether numbers may be day, month and year: not if the year begins a date of its own."""
    if any(tokens[place + 1].text == "/" for place in places[:-1]):
        return all(is_whole_component(tokens, place) for place in places) and not _year_first(tokens, places[-1])
    ends_name = places[-1] + 1 < len(tokens) and tokens[places[-1] + 1].text == "/"
    return ends_name or not _year_first(tokens, places[-1])


def _both_orders(one: Token, two: Token, year: Token) -> tuple[date, ...]:
    """Returns the dates of two numbers and a year: day first, then month first, without impossible ones."""
    if one.month or two.month:
        month, day = (one.month, two.text) if one.month else (two.month, one.text)
        found = to_date(year.text, month, day) if day.isdigit() else None
        return (found,) if found else ()
    return _orders(one.text, two.text, year.text)


def _orders(one: str, two: str, year: str) -> tuple[date, ...]:
    found = [to_date(year, two, one), to_date(year, one, two)]
    return tuple(dict.fromkeys(item for item in found if item))


def _order_of(dates: Sequence[date], first: str) -> str:
    """Says whether the first number is the day or the month; nothing where both are equal or the month is a word."""
    if len(dates) == 2:
        return "open"
    if not first.isdigit() or dates[0].day == dates[0].month:
        return ""
    return "day" if int(first) == dates[0].day else "month"


def _in_six_folders(tokens: Sequence[Token], place: int) -> FoundDate | None:
    """Reads ``26/03/14/10/15/00``, as ZoneMinder writes it; the time of day is left to who looks for it."""
    places = read_separated(tokens, place, (_TWO,) * 6, "/")
    if not places or not all(is_whole_component(tokens, index) for index in places[:5]):
        return None
    found = to_date(f"20{tokens[places[0]].text}", tokens[places[1]].text, tokens[places[2]].text)
    return FoundDate(dates=(found,), first=place, last=places[2], short_year=True) if found else None


def _compact(tokens: Sequence[Token], place: int) -> FoundDate | None:
    text = tokens[place].text
    if len(text) == LONGEST_STAMP and text.startswith("0"):
        text = text[6:]  # body-worn cameras put the number of their wearer before it
    if not text.isdigit() or not 6 <= len(text) <= LONGEST_STAMP or len(text) == 7:
        return None
    if len(text) == 6:
        return _year_and_month(tokens, place) or _short_year(tokens, place)
    found = to_date(text[:4], text[4:6], text[6:8]) if len(text) != 9 else None
    if found and _is_time(text[8:]):
        return FoundDate(dates=(found,), first=place, last=place, rest=text[8:])
    if len(text) in (8, 14):
        dates = _orders(text[:2], text[2:4], text[4:8])
        if dates and _is_time(text[8:]):
            order = _order_of(dates, text[:2])
            return FoundDate(dates=dates, first=place, last=place, rest=text[8:], order=order)
    short = to_date(f"20{text[:2]}", text[2:4], text[4:6]) if len(text) == 12 else None
    if short and _is_time(text[6:]):
        return FoundDate(dates=(short,), first=place, last=place, rest=text[6:], short_year=True)
    return None


def _is_time(digits: str) -> bool:
    """Returns whether digits may be a time of day: hour, minute, second and fractions, or nothing."""
    if len(digits) in (1, 3, 5):
        return False
    return digits[:2] < "24" and digits[2:4] < "60" and digits[4:6] < "60"


def _year_and_month(tokens: Sequence[Token], place: int) -> FoundDate | None:
    """Reads ``202603/14``."""
    places = read_separated(tokens, place, (range(6, 7), _TWO), "/")
    if not places or not is_whole_component(tokens, place):
        return None
    text = tokens[place].text
    found = to_date(text[:4], text[4:], tokens[places[1]].text)
    return FoundDate(dates=(found,), first=place, last=places[1]) if found else None


def _has_time_after(tokens: Sequence[Token], place: int) -> bool:
    """Returns whether six digits that may be a time follow a number in its file or folder name."""
    after = place + 2
    is_number = after < len(tokens) and tokens[after].kind == "number" and len(tokens[after].text) == 6
    return is_number and are_adjacent(tokens, place, after) and _is_time(tokens[after].text)


def _short_year(tokens: Sequence[Token], place: int) -> FoundDate | None:
    """Reads ``260314_101500``: only a time next to it makes six digits a date."""
    text = tokens[place].text
    if not _has_time_after(tokens, place):
        return None
    found = to_date(f"20{text[:2]}", text[2:4], text[4:])
    return FoundDate(dates=(found,), first=place, last=place, short_year=True) if found else None


def find_epoch(tokens: Sequence[Token]) -> FoundEpoch | None:
    """Returns the first number that may be seconds, milliseconds, micro- or nanoseconds since 1970."""
    for place, token in enumerate(tokens):
        divisor = _EPOCH_DIGITS.get(len(token.text)) if token.kind == "number" else None
        if not divisor:
            continue
        seconds, parts = divmod(int(token.text), divisor)
        if FIRST_EPOCH <= seconds < LAST_EPOCH and not _compact(tokens, place):
            moment = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=parts * 1_000_000 // divisor)
            return FoundEpoch(moment=moment, first=place, last=place)
    return None


def find_impossible(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Returns first and last place of numbers that are written like a date but are not one, such as ``2026-02-31``."""
    for place, token in enumerate(tokens):
        places = read_separated(tokens, place, (_YEAR, _TWO, _TWO), "-_.") if token.kind == "number" else None
        if places and FIRST_YEAR <= int(token.text) <= LAST_YEAR:
            return places[0], places[-1]
    return None

"""The user's own patterns of paths (``[[cameras]]`` in the settings), compiled."""

import re
from dataclasses import dataclass, replace
from datetime import time
from zoneinfo import ZoneInfo

from anomalylmm.errors import ConfigurationError
from flows.clocks.dates import to_date
from flows.clocks.names import PathTime, read_name, strip_suffix
from flows.settings.sections import CameraSettings

TOKENS = {
    "camera": r"(?P<camera>[^/]+?)",
    "year": r"(?P<year>\d{4})",
    "month": r"(?P<month>\d{2})",
    "day": r"(?P<day>\d{2})",
    "hour": r"(?P<hour>\d{2})",
    "minute": r"(?P<minute>\d{2})",
    "second": r"(?P<second>\d{2})",
    "any": r".*?",
}
MAX_ANY = 4  # {any} in one pattern; with more, matching a long name could take hours
_TIMES = ("hour", "minute", "second")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """One compiled pattern with its time zone."""

    regex: re.Pattern[str]
    time_zone: str
    text: str


def compile_pattern(pattern: str, time_zone: str) -> PathPattern:
    """Compiles ``{camera}/{year}-{month}-{day}/...`` (without the suffix) for paths relative to the archive.

    Raises:
        ConfigurationError: The pattern has no part, an unknown or a repeated one, or the time zone does not exist.
    """
    check_time_zone(time_zone)
    parts = re.split(r"\{(\w+)\}", pattern)
    if len(parts) == 1:
        raise ConfigurationError(
            f"the camera pattern {pattern[:200]!r} has none of the parts "
            + ", ".join(f"{{{name}}}" for name in TOKENS)
            + "; it is compared with paths as it is, and is no regular expression"
        )
    unknown = [token for token in parts[1::2] if token not in TOKENS]
    if unknown:
        raise ConfigurationError(
            f"the camera pattern {pattern!r} has the unknown part {{{unknown[0]}}}; the known parts are "
            + ", ".join(f"{{{name}}}" for name in TOKENS)
        )
    if parts[1::2].count("any") > MAX_ANY:
        raise ConfigurationError(
            f"the camera pattern {pattern[:200]!r} may contain {{any}} at most {MAX_ANY} times; "
            "write out more of the path"
        )
    pieces = [re.escape(part) if index % 2 == 0 else TOKENS[part] for index, part in enumerate(parts)]
    try:
        return PathPattern(regex=re.compile("".join(pieces)), time_zone=time_zone, text=pattern)
    except re.error as error:
        raise ConfigurationError(f"the camera pattern {pattern!r} contains a part twice: {error}") from error


def check_time_zone(name: str) -> ZoneInfo:
    """Opens a time zone by its IANA name.

    Raises:
        ConfigurationError: The zone does not exist.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ConfigurationError(f"there is no time zone {name!r}; use an IANA name such as Europe/Berlin") from error


def compile_all(cameras: tuple[CameraSettings, ...], time_zone: str) -> tuple[PathPattern, ...]:
    """Compiles the user's patterns in order; ``time_zone`` is for those that have none of their own.

    Raises:
        ConfigurationError: A pattern has an unknown or repeated part, or a time zone does not exist.
    """
    named = (item for item in cameras if item.pattern)
    return tuple(compile_pattern(item.pattern, item.time_zone or time_zone) for item in named)


def read_pattern(path: str, patterns: tuple[PathPattern, ...]) -> PathTime | None:
    """Reads a path by the first pattern that matches; None if none does, or the date is impossible.

    A pattern without a date gives the camera and the zone, and the built-in rules read the time.
    """
    stem = strip_suffix(path)
    for pattern in patterns:
        match = pattern.regex.fullmatch(stem)
        found = _read_match(path, match.groupdict()) if match else None
        if match and found:
            return replace(found, time_zone=pattern.time_zone, camera=match.groupdict().get("camera") or "")
    return None


def _read_match(path: str, found: dict[str, str | None]) -> PathTime | None:
    built_in = read_name(path)
    if "year" not in found and "month" not in found and "day" not in found:
        return built_in
    day = to_date(*(found.get(part) or "" for part in ("year", "month", "day")))
    parts = [found.get(part) for part in _TIMES]
    try:
        hour, minute, second = (int(part or 0) for part in parts)
        of_day = time(hour, minute, second) if parts[0] else None
    except ValueError:
        return None
    number = next((index for index, part in enumerate(parts) if not part), len(_TIMES))
    return PathTime(naming=built_in.naming, dates=(day,), time_of_day=of_day, parts=number) if day else None

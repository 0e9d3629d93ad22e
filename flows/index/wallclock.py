"""Camera and wall-clock time of a video: from its path, otherwise its container, otherwise its file time."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import ClockSource
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
DEFAULT_PATTERNS = (
    "{camera}/{year}-{month}-{day}/{hour}-{minute}-{second}",
    "{camera}/{year}-{month}-{day}_{hour}-{minute}-{second}",
    "{camera}/{year}{month}{day}_{hour}{minute}{second}",
    "{camera}_{year}{month}{day}_{hour}{minute}{second}",
    "{camera}_{year}-{month}-{day}_{hour}-{minute}-{second}",
)
FIRST_YEAR, LAST_YEAR = 1970, 2200  # other years in a path are not dates; conversions fail near the years 1 and 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where and when a video was recorded, and the source of the time."""

    camera: str
    start_utc: datetime
    source: ClockSource
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """One compiled pattern with its time zone."""

    regex: re.Pattern[str]
    time_zone: str


def compile_pattern(pattern: str, time_zone: str) -> PathPattern:
    """Compiles ``{camera}/{year}-{month}-{day}/...`` (without the suffix) for paths relative to the archive.

    Raises:
        ConfigurationError: The pattern has an unknown or repeated part, or the time zone does not exist.
    """
    check_time_zone(time_zone)
    parts = re.split(r"\{(\w+)\}", pattern)
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
        return PathPattern(regex=re.compile("".join(pieces)), time_zone=time_zone)
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


def build_patterns(cameras: tuple[CameraSettings, ...], time_zone: str) -> tuple[PathPattern, ...]:
    """Compiles the user's patterns, or the default ones."""
    if cameras:
        return tuple(compile_pattern(item.pattern, item.time_zone) for item in cameras)
    return tuple(compile_pattern(pattern, time_zone) for pattern in DEFAULT_PATTERNS)


def read_path(path: str, patterns: tuple[PathPattern, ...]) -> Clock | None:
    """Reads camera and start from a path in the archive; None if no pattern matches or the date is invalid."""
    stem = str(PurePosixPath(path).with_suffix(""))
    for pattern in patterns:
        match = pattern.regex.fullmatch(stem)
        start = _start(match.groupdict(), pattern.time_zone) if match else None
        if match and start:
            camera = match.groupdict().get("camera") or camera_from_folder(path)
            return Clock(camera=camera, start_utc=start, source="path_pattern", time_zone=pattern.time_zone)
    return None


def _start(found: dict[str, str | None], time_zone: str) -> datetime | None:
    if not all(found.get(part) for part in ("year", "month", "day")):
        return None
    values = [int(found.get(part) or 0) for part in ("year", "month", "day", "hour", "minute", "second")]
    try:
        year, month, day, hour, minute, second = values
        local = datetime(year, month, day, hour, minute, second, tzinfo=ZoneInfo(time_zone))
    except ValueError:
        return None
    return local.astimezone(UTC) if FIRST_YEAR <= year <= LAST_YEAR else None


def camera_from_folder(path: str) -> str:
    """Names the camera after the first folder of the path, or ``default`` for a file at the top."""
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else "default"


def clock_of(
    path: str, patterns: tuple[PathPattern, ...], *, container_utc: datetime | None, modified: float, time_zone: str
) -> Clock:
    """Finds camera and start: by the path, otherwise the container's time, otherwise the file's."""
    found = read_path(path, patterns)
    if found:
        return found
    source: ClockSource = "container" if container_utc else "file_time"
    start = container_utc or datetime.fromtimestamp(modified, tz=UTC)
    return Clock(camera=camera_from_folder(path), start_utc=start, source=source, time_zone=time_zone)

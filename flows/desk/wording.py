"""How the desk writes times, numbers and states."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flows.report.page import local_time, media_time

STATES = {"new": "New", "unsure": "Unsure", "confirmed": "Confirmed", "rejected": "Rejected"}
CLOCKS = {
    "path_pattern": "from the time in the path",
    "path_date": "from the day or hour in the path; the rest is unknown",
    "container": "from the video file's own time",
    "container_end": "from the video file's own time, which is that of its end",
    "file_end": "from when the file was last changed, less its duration",
    "file_time": "from when the file was last changed",
    "corrected": "set by a person",
}
DOUBTS = {
    "file_time": "only the file has a time, and copying may have changed it",
    "date_only": "the path names only the day",
    "hour_only": "the path names only the hour",
    "day_or_month": "day and month may be swapped",
    "short_year": "the year has two digits",
    "two_dates": "the path has dates of different days",
    "impossible_date": "the path has a date that does not exist",
    "clock_not_set": "the path has a date from before the camera's clock was set",
    "clock_reset": "the camera's clock may have been reset by a power cut",
    "frame_rate": "the stream has no times; 25 frames a second are assumed",
    "repeated_hour": "clocks were put back, and it is unknown which of two hours it was",
    "missing_hour": "clocks were put forward, but not this camera's",
    "container_end": "the file has the time of its end",
    "container_zone": "the file has local time as UTC",
    "after_file_time": "the video begins after its file was last changed",
    "same_time": "another video of this camera begins at the same moment",
}


def write_local(row: Mapping[str, Any], name: str = "best_utc") -> str:
    """Writes a row's moment in its camera's time zone, with the zone's name."""
    return local_time(row[name].replace(tzinfo=UTC), row["time_zone"])


def write_utc(moment: datetime | None) -> str:
    """Writes a moment in UTC; a dash for none."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "–"


def write_seconds(seconds: float | None) -> str:
    """Writes a duration in the unit that fits."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def write_bytes(number: float) -> str:
    """Writes a number of bytes in the unit that fits."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


FILTERS: dict[str, Callable[..., Any]] = {
    "local": write_local,
    "utc": write_utc,
    "media_time": media_time,
    "clock": lambda source: CLOCKS.get(source, source),
    "doubts": lambda doubts: [DOUBTS.get(word, word) for word in (doubts or "").split()],
    "percent": "{:.0%}".format,
    "duration": write_seconds,
    "bytes": write_bytes,
    "state": lambda state: STATES.get(state, state),
}

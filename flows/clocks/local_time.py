"""Turns times of a wall clock into UTC. Clocks are put back (an hour occurs twice) and forward (an hour is missing)."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def to_utc(local: datetime, time_zone: str, fold: int = 0) -> datetime:
    """Converts a time without a zone; ``fold`` 1 is the second of two equal times, or skips a missing hour."""
    return local.replace(tzinfo=ZoneInfo(time_zone), fold=fold).astimezone(UTC)


def is_repeated(local: datetime, time_zone: str) -> bool:
    """Returns whether a time occurs twice, because clocks were put back."""
    return to_utc(local, time_zone, 0) < to_utc(local, time_zone, 1)


def is_missing(local: datetime, time_zone: str) -> bool:
    """Returns whether a time does not occur, because clocks were put forward."""
    return to_utc(local, time_zone, 0) > to_utc(local, time_zone, 1)


def to_utc_as_before_midnight(local: datetime, time_zone: str) -> datetime:
    """Converts a time by the offset that was in force as its day began: the clock was not put forward that day."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return to_utc(midnight, time_zone) + (local - midnight)


def choose_fold(local: datetime, time_zone: str, end_utc: datetime, longest: timedelta) -> int | None:
    """Chooses between two equal times by when the recording ended; None if neither or both fit.

    Args:
        local: The start by the wall clock.
        time_zone: Its zone.
        end_utc: When the file was last changed, usually the end of the recording.
        longest: A recording is not longer than this.
    """
    lengths = [end_utc - to_utc(local, time_zone, fold) for fold in (0, 1)]
    fits = [fold for fold, length in enumerate(lengths) if timedelta(0) <= length < longest]
    return fits[0] if len(fits) == 1 else None


def choose_fold_by_end(local: datetime, time_zone: str, end: time, longest: timedelta) -> int | None:
    """Chooses between two equal times by the end that the wall clock showed; None if it may be either."""
    stop = datetime.combine(local.date(), end)
    if stop < local:
        return 0 if is_repeated(stop, time_zone) else None  # the clock was put back in between
    return None if is_repeated(stop, time_zone) else choose_fold(local, time_zone, to_utc(stop, time_zone), longest)

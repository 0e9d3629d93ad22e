"""The wall clock of runs."""

from datetime import UTC, datetime

MAX_DAYS = 36_500  # of an age that settings and commands take


def utc_now() -> datetime:
    """Reads the current time. Nothing else in this package does, so a test can replace it."""
    return datetime.now(tz=UTC)

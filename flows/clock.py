"""The wall clock of runs."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Reads the current time. Nothing else in this package does, so a test can replace it."""
    return datetime.now(tz=UTC)

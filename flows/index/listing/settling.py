"""Sets files apart that may still be being written."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.archives.files import is_file
from flows.index.listing.archive_files import Listing, PassedOver
from flows.index.listing.content import modified_time_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The videos to read now, and what is passed over."""

    paths: tuple[Path, ...]
    passed_over: tuple[PassedOver, ...] = ()
    all_recent: int = 0  # files that changed a moment ago, if all did


def settle(listing: Listing, archive: Path, settle_seconds: float, now: datetime) -> Settled:
    """Passes over the files that changed less than ``settle_seconds`` ago, as they may still be being written.

    If all of them did, the archive has just been copied here, and all are read.
    """
    ages = {path: _age(path, now) for path in listing.videos}
    recent = {path: age for path, age in ages.items() if age is not None and abs(age) < settle_seconds}
    if len(recent) == sum(age is not None for age in ages.values()):
        return Settled(paths=listing.videos, passed_over=listing.passed_over, all_recent=len(recent))
    reason = "it changed {:.0f} s ago and may still be being written; a later run reads it (archive.settle_seconds)"
    apart = [
        PassedOver(path=path.relative_to(archive).as_posix(), reason=reason.format(max(0.0, age)))
        for path, age in recent.items()
    ]
    return Settled(
        paths=tuple(path for path in listing.videos if path not in recent),
        passed_over=(*apart, *listing.passed_over),
    )


def _age(path: Path, now: datetime) -> float | None:
    """Returns the seconds since a regular file changed; None for anything else."""
    modified_ns = modified_time_ns(path) if is_file(path) else None
    return None if modified_ns is None else now.timestamp() - modified_ns / 1e9

"""What is indexed of each camera and day, what is missing or unreadable, and what the retention takes next."""

import calendar
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from flows.clock import utc_now
from flows.maintain.erasing import Preview, preview_erasure
from flows.maintain.retention import build_rules
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.hits.analyst import open_tables
from storage.shards.quarantine import QuarantineEntry, clear_quarantine, read_quarantine

DAY_SECONDS = 86_400.0
NEXT_DAYS = 7  # of what the retention takes next
MAX_GAPS, MAX_PARTIAL = 200, 100
DAYS_SQL = """
SELECT camera, date, count(*) AS num_videos, sum(seconds_decoded) AS decoded, sum(seconds_promised) AS promised,
sum(size_bytes) AS num_bytes, count(*) FILTER (WHERE coverage < 0.99 OR status <> 'complete') AS num_partial
FROM videos JOIN (SELECT shard_id, date FROM shards) USING (shard_id) GROUP BY camera, date
"""
PARTIAL_SQL = """
SELECT camera, path, coverage, message FROM videos WHERE coverage < 0.99 OR status <> 'complete'
ORDER BY coverage, path LIMIT ?
"""
GAPS_SQL = "SELECT * FROM gaps ORDER BY stop_utc IS NULL DESC, start_utc DESC LIMIT ?"
SHARDS_SQL = "SELECT camera, directory, num_crops FROM shards"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStore:
    """What one camera has in the archive and takes in the store."""

    camera: str
    num_videos: int
    seconds: float
    source_bytes: int
    store_bytes: int
    num_crops: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveView:
    """The archive in one month."""

    month: date  # its first day
    days: tuple[date, ...]
    cells: dict[tuple[str, date], Row] = field(repr=False)  # by camera and day
    cameras: tuple[CameraStore, ...]
    gaps: tuple[Row, ...]
    partial: tuple[Row, ...]
    unreadable: tuple[QuarantineEntry, ...]
    damaged: tuple[str, ...]  # shards that can't be read, and why

    def level(self, camera: str, day: date) -> int:
        """How much of a day is indexed: 0 nothing, 4 nearly all."""
        cell = self.cells.get((camera, day))
        share = min(1.0, (cell["decoded"] or 0.0) / DAY_SECONDS) if cell else 0.0
        return 0 if not cell else 1 + sum(share >= limit for limit in (0.1, 0.5, 0.95))

    def describe(self, camera: str, day: date) -> str:
        """Says in words what is indexed of a day."""
        cell = self.cells.get((camera, day))
        if not cell:
            return f"{camera}, {day}: nothing"
        partial = f", {cell['num_partial']} not whole" if cell["num_partial"] else ""
        hours = (cell["decoded"] or 0.0) / 3600
        return f"{camera}, {day}: {cell['num_videos']} videos, {hours:.1f} hours{partial}"

    @property
    def before(self) -> str:
        """The month before, for an address."""
        return (self.month - timedelta(days=1)).strftime("%Y-%m")

    @property
    def after(self) -> str:
        """The month after."""
        return (self.month + timedelta(days=31)).strftime("%Y-%m")


def read_archive(layout: StoreLayout, month: str) -> ArchiveView:
    """Reads what is indexed; without a month, the last one of which something is.

    Raises:
        StoreError: The store can't be read.
    """
    with open_tables(layout) as tables:
        rows = tables.select(DAYS_SQL)
        shards = tables.select(SHARDS_SQL)
        gaps, partial = tables.select(GAPS_SQL, [MAX_GAPS]), tables.select(PARTIAL_SQL, [MAX_PARTIAL])
        damaged = tables.unreadable
    days = [row["date"] for row in rows]
    first = _first_day(month or (max(days) if days else utc_now().date().isoformat()))
    number = calendar.monthrange(first.year, first.month)[1]
    return ArchiveView(
        month=first,
        days=tuple(first + timedelta(days=day) for day in range(number)),
        cells={(row["camera"], date.fromisoformat(row["date"])): row for row in rows},
        cameras=tuple(_sum_cameras(layout, rows, shards)),
        gaps=tuple(gaps),
        partial=tuple(partial),
        unreadable=read_quarantine(layout),
        damaged=damaged,
    )


def _first_day(text: str) -> date:
    year, month = text.split("-")[:2]
    return date(int(year), int(month), 1)


def _sum_cameras(layout: StoreLayout, rows: Sequence[Row], shards: Sequence[Row]) -> list[CameraStore]:
    own: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        own[row["camera"]].append(row)
    sizes: dict[str, int] = defaultdict(int)
    crops: dict[str, int] = defaultdict(int)
    for shard in shards:
        sizes[shard["camera"]] += _folder_bytes(layout, shard["directory"])
        crops[shard["camera"]] += shard["num_crops"] or 0
    return [
        CameraStore(
            camera=camera,
            num_videos=sum(row["num_videos"] for row in found),
            seconds=sum(row["decoded"] or 0.0 for row in found),
            source_bytes=sum(row["num_bytes"] or 0 for row in found),
            store_bytes=sizes[camera],
            num_crops=crops[camera],
            first_day=min(row["date"] for row in found),
            last_day=max(row["date"] for row in found),
        )
        for camera, found in sorted(own.items())
    ]


def _folder_bytes(layout: StoreLayout, directory: str) -> int:
    try:
        with os.scandir(layout.root / directory) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:
        return 0


def preview_retention(layout: StoreLayout, settings: Settings) -> Preview | None:
    """Finds what the retention takes within ``NEXT_DAYS``; None if everything is kept.

    Raises:
        StoreError: The store can't be read.
    """
    rules = build_rules(settings.retention, utc_now() + timedelta(days=NEXT_DAYS))
    return preview_erasure(layout, rules) if rules else None


def allow_retry(layout: StoreLayout, video_id: str) -> int:
    """Forgets that a video could not be read, so that the next index run tries it again; returns the notes removed.

    Raises:
        StoreError: It can't be removed.
    """
    found = [entry for entry in read_quarantine(layout) if entry.video_id == video_id]
    for entry in found:
        clear_quarantine(layout, entry.pipeline_digest, entry.video_id)
    return len(found)

"""Which crops a search may find, as masks over the rows of one shard, applied before the top-k."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalylmm.errors import StoreError
from storage.gallery.opening import GalleryShard
from storage.shards.schema import require_utc

SCOPE_COLUMNS = ("video_id", "wall_clock_utc")  # what decides whether a row is in scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The part of a gallery that a search looks at; None and "" do not restrict."""

    shard_ids: frozenset[str] | None = None
    cameras: frozenset[str] | None = None
    start_utc: datetime | None = None
    stop_utc: datetime | None = None  # exclusive
    daily_start: str = ""  # "22:00", local time of the camera
    daily_stop: str = ""  # exclusive; before daily_start: the window spans midnight

    def __post_init__(self) -> None:
        """Checks the times.

        Raises:
            StoreError: If a moment has no time zone, or a time of day is not one.
        """
        for name in ("start_utc", "stop_utc"):
            moment = getattr(self, name)
            if moment is not None:
                object.__setattr__(self, name, require_utc(name, moment))
        for name in ("daily_start", "daily_stop"):
            _read_time(name, getattr(self, name))

    def admits(self, shard: GalleryShard) -> bool:
        """Whether the shard can hold anything in scope."""
        is_named = self.shard_ids is None or shard.shard_id in self.shard_ids
        is_seen = self.cameras is None or shard.manifest.key.camera in self.cameras
        starts = [video.start_utc for video in shard.manifest.videos] if self.stop_utc else []
        return is_named and is_seen and not (self.stop_utc and starts and min(starts) >= self.stop_utc)

    def admits_whole(self, shard: GalleryShard) -> bool:
        """Whether all rows of the shard are in scope, as far as can be told without reading them."""
        is_timed = self.start_utc or self.stop_utc or self.daily_start or self.daily_stop
        return not is_timed and self.admits(shard)

    def mask(self, table: pa.Table, shard: GalleryShard) -> NDArray[np.bool_]:
        """The rows of a shard, given as a table of ``SCOPE_COLUMNS``, that are within the times, (N,).

        Raises:
            StoreError: If a time zone of the shard is not known.
        """
        moments = table.column("wall_clock_utc")
        mask = _is_within(moments, self.start_utc, self.stop_utc)
        if self.daily_start or self.daily_stop:
            start, stop = _read_time("daily_start", self.daily_start), _read_time("daily_stop", self.daily_stop)
            videos = defaultdict[str, list[str]](list)
            for video in shard.manifest.videos:
                videos[video.time_zone].append(video.video_id)
            for zone, video_ids in videos.items():
                times = _to_local(moments, zone)
                if start and stop and start >= stop:
                    is_inside = _is_within(times, start, None) | _is_within(times, None, stop)
                else:
                    is_inside = _is_within(times, start, stop)
                mask &= is_inside | ~pc.is_in(table.column("video_id"), pa.array(video_ids)).to_numpy()
        return mask


def _is_within(moments: Any, start: datetime | time | None, stop: datetime | time | None) -> NDArray[np.bool_]:
    mask = np.ones(len(moments), np.bool_)
    if start is not None:
        mask &= pc.greater_equal(moments, start).to_numpy()
    if stop is not None:
        mask &= pc.less(moments, stop).to_numpy()
    return mask


def _to_local(moments: pa.ChunkedArray, zone: str) -> Any:
    """The time of day of each row, (N,)."""
    try:
        return pc.local_timestamp(moments.cast(pa.timestamp("us", tz=zone))).cast(pa.time64("us"))
    except pa.ArrowException as error:
        raise StoreError(f"Time zone {zone!r} is not known here: {error}") from error


def _read_time(name: str, text: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError as error:
        raise StoreError(f"{name} must be a time of day like 22:00, but is {text!r}") from error

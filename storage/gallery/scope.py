"""Which crops a search may find, as masks over the rows of one shard, applied before the top-k."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalylmm.errors import StoreError
from storage.gallery.shard import GalleryShard
from storage.shards.schema import require_utc

SCOPE_COLUMNS = ("video_id", "wall_clock_utc")  # what decides whether a row is in scope
_MICROSECONDS = 1_000_000


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
            if getattr(self, name):
                _seconds_of_day(name, getattr(self, name))

    def admits(self, shard: GalleryShard) -> bool:
        """Whether the shard can hold anything in scope."""
        if self.shard_ids is not None and shard.shard_id not in self.shard_ids:
            return False
        if self.cameras is not None and shard.camera not in self.cameras:
            return False
        starts = [video.start_utc for video in shard.manifest.videos] if self.stop_utc else []
        return not (self.stop_utc and starts and min(starts) >= self.stop_utc)

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
        mask = np.ones(table.num_rows, np.bool_)
        if self.start_utc is not None:
            mask &= pc.greater_equal(moments, self.start_utc).to_numpy()
        if self.stop_utc is not None:
            mask &= pc.less(moments, self.stop_utc).to_numpy()
        if self.daily_start or self.daily_stop:
            zones = {video.video_id: video.time_zone for video in shard.manifest.videos}
            mask &= self._daily_mask(table, zones)
        return mask

    def _daily_mask(self, table: pa.Table, zones: Mapping[str, str]) -> NDArray[np.bool_]:
        seconds = _local_seconds(table, zones)
        start = _seconds_of_day("daily_start", self.daily_start or "00:00")
        stop = _seconds_of_day("daily_stop", self.daily_stop) if self.daily_stop else 86_400
        if start < stop:
            return (seconds >= start) & (seconds < stop)
        return (seconds >= start) | (seconds < stop)


def _local_seconds(table: pa.Table, zones: Mapping[str, str]) -> NDArray[np.int64]:
    """Seconds since local midnight of each row, (N,)."""
    if table.num_rows == 0:
        return np.zeros(0, np.int64)
    videos = pa.concat_arrays(table.column("video_id").chunks).dictionary_encode()
    own_zones = np.array([zones.get(video_id, "UTC") for video_id in videos.dictionary.to_pylist()])
    row_zones = own_zones[videos.indices.to_numpy()]
    seconds = np.zeros(table.num_rows, np.int64)
    for zone in np.unique(own_zones):
        rows = np.flatnonzero(row_zones == zone)
        moments = table.column("wall_clock_utc").take(pa.array(rows))
        try:
            local = pc.local_timestamp(moments.cast(pa.timestamp("us", tz=str(zone))))
        except pa.ArrowException as error:
            raise StoreError(f"Time zone {str(zone)!r} is not known here: {error}") from error
        microseconds = np.asarray(local.cast(pa.int64()).to_numpy())
        seconds[rows] = microseconds // _MICROSECONDS % 86_400
    return seconds


def _seconds_of_day(name: str, text: str) -> int:
    try:
        moment = time.fromisoformat(text)
    except ValueError as error:
        raise StoreError(f"{name} must be a time of day like 22:00, but is {text!r}") from error
    return moment.hour * 3600 + moment.minute * 60 + moment.second

"""Fills a store with synthetic shards: the real layout, columns, row groups, indexes and manifests, without pictures.

Rows go to Arrow in columns and not as records one by one, which makes ten million of them a matter of minutes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from anomalylmm.records import Floats
from benchmarks.scale.vectors import CROPS_PER_TRACKLET, World
from storage.disk.layout import ShardKey, StoreLayout, make_shard_id
from storage.shards.manifest import VideoEntry
from storage.shards.schema import crops_schema
from storage.shards.writer import ROWS_PER_GROUP, ShardWriter

ENCODER = "synthetic"
CAMERAS = 20
VIDEOS_PER_SHARD = 8
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_JPEG = b"\xff\xd8\xff\xd9"
_DAY_MICROSECONDS = 86_400_000_000
_ID_CHARACTERS = 24


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What a synthetic store holds; equal ones are filled equally."""

    rows: int
    dimension: int
    rows_per_shard: int
    pipeline: str = "synthetic"

    @property
    def num_shards(self) -> int:
        return -(-self.rows // self.rows_per_shard)

    def key(self, number: int) -> ShardKey:
        """Shards go round the cameras, then to the next day."""
        camera = number % CAMERAS
        videos = [_video_id(number, video) for video in range(VIDEOS_PER_SHARD)]
        return ShardKey(
            pipeline_digest=self.pipeline,
            camera=f"camera-{camera:02d}",
            date=_day(number).date().isoformat(),
            shard_id=make_shard_id(videos, self.pipeline),
        )

    def size(self, number: int) -> int:
        return min(self.rows_per_shard, self.rows - number * self.rows_per_shard)

    def vectors(self, number: int) -> Floats:
        """The vectors of one shard, (N, D)."""
        return _world(self.dimension).crops(self.size(number), number)


def fill_store(root: Path, filling: Filling) -> Iterator[int]:
    """Publishes the shards that are not there yet, and gives the number of each as it is done."""
    layout = StoreLayout(root)
    layout.check_writable()
    for number in range(filling.num_shards):
        key = filling.key(number)
        if not layout.shard_dir(key).exists():
            _publish(layout, filling, number, key)
        yield number


@cache
def _world(dimension: int) -> World:
    return World(dimension)


class _TableWriter(ShardWriter):
    """The real writer, fed with columns."""

    def append_table(self, table: pa.Table) -> None:
        if self._file is None:
            raise ValueError("the writer is not open")
        self._file.write_table(table, row_group_size=ROWS_PER_GROUP)
        self._crop_ids.update(table.column("crop_id").to_pylist())
        self._tracklet_ids.update(table.column("tracklet_id").unique().to_pylist())


def _publish(layout: StoreLayout, filling: Filling, number: int, key: ShardKey) -> None:
    about = {"kind": "synthetic"}
    with _TableWriter(layout, key, pipeline=about, encoder_id=ENCODER, dimension=filling.dimension) as writer:
        writer.append_table(_table(filling, number, key))
        writer.publish([_video(key, number, video) for video in range(VIDEOS_PER_SHARD)], 0.0)


def _table(filling: Filling, number: int, key: ShardKey) -> pa.Table:
    schema = crops_schema(filling.dimension)
    size = filling.size(number)
    columns = {
        **_names(number, size, key),
        **_measures(size),
        "wall_clock_utc": _moments(number, size),
        "jpeg": pa.array([_JPEG] * size, pa.binary()),
        "vector": _lists(filling.vectors(number), filling.dimension),
    }
    empty = {name: pa.nulls(size, schema.field(name).type) for name in schema.names if name not in columns}  # no poses
    return pa.table([{**columns, **empty}[name] for name in schema.names], schema=schema)


def _names(number: int, size: int, key: ShardKey) -> dict[str, pa.Array]:
    rows = np.arange(size)
    tracklets, videos = pa.array(rows // CROPS_PER_TRACKLET), pa.array(rows * VIDEOS_PER_SHARD // size)
    num_tracklets = -(-size // CROPS_PER_TRACKLET)
    return {
        "crop_id": _ids("crop", number, size),
        "tracklet_id": _ids("tracklet", number, num_tracklets).take(tracklets),
        "video_id": pa.array([_video_id(number, video) for video in range(VIDEOS_PER_SHARD)]).take(videos),
        "video_path": pa.array([_path(key, video) for video in range(VIDEOS_PER_SHARD)]).take(videos),
        "camera": pa.array([key.camera] * size),
        "clock_source": pa.array(["path_pattern"] * size),
    }


def _measures(size: int) -> dict[str, pa.Array]:
    rows = np.arange(size, dtype=np.float64)
    box = _lists(np.tile(np.float32([1, 2, 30, 90]), (size, 1)), 4)
    return {
        "pts_seconds": pa.array(rows),
        "frame_width_px": pa.array(np.full(size, 1280, np.int32)),
        "frame_height_px": pa.array(np.full(size, 720, np.int32)),
        "score": pa.array(np.full(size, 0.8)),
        "sharpness": pa.array(rows % 97),
        "tracklet_start_seconds": pa.array(rows),
        "tracklet_stop_seconds": pa.array(rows + 1),
        "tracklet_num_detections": pa.array(np.full(size, 12, np.int32)),
        "box_xyxy_px": box,
        "context_xyxy_px": box,
    }


def _moments(number: int, size: int) -> pa.Array:
    """Spread evenly over the day."""
    first = np.datetime64(_day(number).replace(tzinfo=None), "us")
    return pa.array(first + (np.arange(size) * _DAY_MICROSECONDS // size).astype("timedelta64[us]")).cast(
        pa.timestamp("us", tz="UTC")
    )


def _lists(rows: Floats, width: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), width)


def _video(key: ShardKey, number: int, video: int) -> VideoEntry:
    return VideoEntry(
        video_id=_video_id(number, video),
        path=_path(key, video),
        size_bytes=10**9,
        clock_source="path_pattern",
        start_utc=_day(number) + video * timedelta(days=1) / VIDEOS_PER_SHARD,
        time_zone="Europe/Berlin",
        width_px=1280,
        height_px=720,
        seconds_promised=10_800.0,
        seconds_decoded=10_800.0,
        num_frames=32_400,
        decoder="decord",
        status="complete",
        coverage=1.0,
    )


def _day(number: int) -> datetime:
    return FIRST_DAY + timedelta(days=number // CAMERAS)


def _path(key: ShardKey, video: int) -> str:
    return f"{key.camera}/{key.date}/{video}.mp4"


def _video_id(number: int, video: int) -> str:
    return _digest("video", number, video)


def _ids(kind: str, number: int, size: int) -> pa.Array:
    """As many digests, without a hash for each."""
    drawn = np.random.default_rng([*kind.encode(), number]).bytes(size * _ID_CHARACTERS // 2)
    offsets = np.arange(size + 1, dtype=np.int32) * _ID_CHARACTERS
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(drawn.hex().encode()))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_ID_CHARACTERS]

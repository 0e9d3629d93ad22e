"""Reads ``crops.parquet``: only the row groups and columns that are needed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalylmm.errors import ShardError
from anomalylmm.records import CropRow
from storage.disk.layout import CROPS_FILE
from storage.shards.schema import LIGHT_COLUMNS, table_to_rows

_PART = ["tracklet_id", "video_id"]  # a tracklet may go on from one video into the next
_PART_SUMMARY = (
    ("camera", "min", "camera"),
    ("tracklet_start_seconds", "min", "start_seconds"),
    ("tracklet_stop_seconds", "max", "stop_seconds"),
    ("tracklet_num_detections", "max", "num_detections"),
    ("crop_id", "count", "num_crops"),
    ("score", "max", "best_detection_score"),
    ("wall_clock_utc", "min", "first_crop_utc"),
    ("wall_clock_utc", "max", "last_crop_utc"),
)
_TRACKLET_SUMMARY = (
    *((name, "first", name) for name in ("video_id", "camera", "start_seconds", "stop_seconds")),
    *((name, "sum", name) for name in ("num_detections", "num_crops")),
    ("best_detection_score", "max", "best_detection_score"),
    ("first_crop_utc", "min", "first_crop_utc"),
    ("last_crop_utc", "max", "last_crop_utc"),
)
_TRACKLET_COLUMNS = (*_PART, *dict.fromkeys(source for source, _, _ in _PART_SUMMARY))


def load_crops(directory: Path, crop_ids: Sequence[str]) -> list[CropRow]:
    """Crops of one shard, in the order of ``crop_ids``.

    Raises:
        ShardError: If one is missing, or the file can't be read.
    """
    ids = read_columns(directory, ["crop_id"]).column("crop_id")
    places = dict(zip(ids.to_pylist(), range(len(ids)), strict=True)) if len(crop_ids) else {}
    missing = [crop_id for crop_id in crop_ids if crop_id not in places]
    if missing:
        raise ShardError(f"{directory} has no crop {missing[0]} ({len(missing)} of {len(crop_ids)} are missing).")
    return table_to_rows(read_rows(directory, np.array([places[crop_id] for crop_id in crop_ids], np.int64)))


def load_tracklet(directory: Path, tracklet_id: str) -> list[CropRow]:
    """All crops of one tracklet, in time order; empty if the shard has none.

    Raises:
        ShardError: If the file can't be read.
    """
    return load_tracklets(directory, [tracklet_id])[tracklet_id]


def load_tracklets(directory: Path, tracklet_ids: Sequence[str]) -> dict[str, list[CropRow]]:
    """All crops of several tracklets of one shard by tracklet id, as by ``load_tracklet``, but in one reading.

    Raises:
        ShardError: If the file can't be read.
    """
    ids = read_columns(directory, ["tracklet_id"]).column("tracklet_id")
    rows = np.flatnonzero(pc.is_in(ids, value_set=pa.array(tracklet_ids, ids.type)).to_numpy())
    found: dict[str, list[CropRow]] = defaultdict(list)
    for row in table_to_rows(read_rows(directory, rows.astype(np.int64))):
        found[row.tracklet_id].append(row)
    order = attrgetter("wall_clock_utc", "pts_seconds", "crop_id")
    return {name: sorted(found[name], key=order) for name in tracklet_ids}


def read_columns(directory: Path, columns: Sequence[str] = LIGHT_COLUMNS) -> pa.Table:
    """Some columns of all rows of a shard.

    Raises:
        ShardError: If the file can't be read.
    """
    with _open_crops(directory) as file:
        return file.read(columns=list(columns))


def read_rows(directory: Path, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
    """Rows by number, in the order given; reads only the row groups that hold them.

    Raises:
        ShardError: If the file can't be read.
    """
    with _open_crops(directory) as file:
        metadata = file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        groups = np.searchsorted(starts, rows, side="right") - 1
        wanted = None if columns is None else list(columns)
        parts = [
            file.read_row_group(group, columns=wanted).take(pa.array(rows[groups == group] - starts[group]))
            for group in np.unique(groups).tolist()  # one after the other: many pictures are read, and few are wanted
        ] or [file.read_row_groups([], columns=wanted)]
        places = np.argsort(np.argsort(groups, kind="stable"), kind="stable")
        return pa.concat_tables(parts).take(pa.array(places))


def read_tracklet_table(directory: Path) -> pa.Table:
    """One row per tracklet of a shard: times, number of detections and crops, best detector score.

    Start and stop are those in the video in which the tracklet begins; the rest is about all of it.

    Raises:
        ShardError: If the file can't be read.
    """
    parts = _summarize(read_columns(directory, _TRACKLET_COLUMNS), _PART, _PART_SUMMARY)
    ordered = parts.sort_by([("first_crop_utc", "ascending"), ("video_id", "ascending")])
    return _summarize(ordered, ["tracklet_id"], _TRACKLET_SUMMARY).sort_by("tracklet_id")


def _summarize(table: pa.Table, keys: list[str], summary: Sequence[tuple[str, str, str]]) -> pa.Table:
    """Groups rows by the keys; each summary is a column, a function of Arrow and a new name."""
    aggregations: list[Any] = [(source, how) for source, how, _ in summary]
    grouped = table.group_by(keys, use_threads=False).aggregate(aggregations)
    names = {f"{source}_{how}": name for source, how, name in summary}
    return grouped.rename_columns([names.get(name, name) for name in grouped.column_names])


@contextmanager
def _open_crops(directory: Path) -> Iterator[pq.ParquetFile]:
    path = directory / CROPS_FILE
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"Can't read {path}: {error}. Run: anomalylmm verify") from error

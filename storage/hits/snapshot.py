"""The published database: a copy of what published sweeps found, replaced in one step, readable by any DuckDB 1.x."""

import glob
from collections.abc import Sequence
from contextlib import suppress
from os import SEEK_END
from pathlib import Path
from typing import Any

import duckdb

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import guarded, put_in_place
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.hits import tables
from storage.hits.database import temporary_database, transaction
from storage.hits.feedback_sql import NEWEST_SQL
from storage.shards.manifest import iter_shard_dirs, read_manifest
from storage.shards.quarantine import read_quarantine
from storage.shards.reading import read_tracklet_table
from storage.shards.schema import BODY_SQL_TYPES, crops_view_schema

SNAPSHOT_STORAGE_VERSION = "v1.0.0"  # the format that every DuckDB 1.x can open
SHARDS_AT_ONCE = 256  # whose rows are in memory
Row = dict[str, Any]
_NO_BODY = ", ".join(f"NULL::{kind} AS {name}" for name, kind in BODY_SQL_TYPES.items())
_CROP_COLUMNS = ("shard_id", "pipeline", *crops_view_schema().names)
NO_CROPS_SQL = f"SELECT {', '.join(f'NULL AS {name}' for name in _CROP_COLUMNS)} WHERE false"
_HITS_SOURCE = f"hits LEFT JOIN ({NEWEST_SQL}) USING (hit_id)"
_MAGIC = b"PAR1"  # ends a Parquet file
_LIVE = (*tables.SHARD_TABLES, tables.QUARANTINE)  # what is read from the disk, not from sweeps
_SWEEP_FILTER = "WHERE sweep_id IN (SELECT sweep_id FROM sweeps WHERE published)"


def synchronize(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Updates shards, videos, tracklets and quarantine to match the disk; returns what could not be read and why.

    Only new shards are read: a published shard never changes.
    """
    on_disk = {directory.name: directory for directory in iter_shard_dirs(layout)}
    known = {shard_id for (shard_id,) in connection.execute("SELECT shard_id FROM shards").fetchall()}
    gone = sorted(known - set(on_disk))
    for table in tables.SHARD_TABLES:
        condition = "shard_id IN (SELECT unnest(?::VARCHAR[]))"
        connection.execute(f"DELETE FROM {table.name} WHERE {condition}", [gone])  # noqa: S608 - names are our own
    unreadable = list[str]()
    new = [on_disk[shard_id] for shard_id in sorted(set(on_disk) - known)]
    for start in range(0, len(new), SHARDS_AT_ONCE):
        unreadable += _add_shards(layout, connection, new[start : start + SHARDS_AT_ONCE])
    connection.execute("DELETE FROM quarantine")
    entries = [tables.record_row(tables.QUARANTINE, e, pipeline=e.pipeline_digest) for e in read_quarantine(layout)]
    tables.upsert(connection, tables.QUARANTINE, entries)
    return unreadable


def write_snapshot(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Copies what is published to a new file in the writer's ``folder``, which then replaces the old snapshot.

    Raises:
        StoreError: If it can't be written.
    """
    with temporary_database(folder, layout.snapshot.name) as building:
        connection.execute("CHECKPOINT")
        _copy(layout, connection, building)
        with guarded("write", layout.snapshot):
            put_in_place(building, layout.snapshot, "snapshot.written")
    reach("snapshot.replaced")


def create_unpublished(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Creates the tables of a store that no sweep has published; returns which shards could not be read and why."""
    for table in tables.PUBLISHED:
        connection.execute(table.create_sql)
    connection.execute(f"ALTER TABLE {tables.HITS.name} ADD COLUMN feedback VARCHAR")
    return synchronize(layout, connection)


def add_indexed(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, published: str) -> list[str]:
    """Makes shards, videos, tracklets and quarantine show what is on the disk now, in memory only.

    Args:
        layout: The store.
        connection: Its current database is in memory.
        published: The name under which the published database is attached.

    Returns:
        Which shards could not be read and why.
    """
    for table in _LIVE:
        connection.execute(table.create_sql)
    connection.execute(f"INSERT INTO shards BY NAME SELECT * FROM {published}.shards")  # noqa: S608 - names are our own
    unreadable = synchronize(layout, connection)
    memory = connection.execute("SELECT current_database()").fetchall()[0][0]
    for table in _LIVE:
        rows = f"SELECT * FROM {memory}.main.{table.name}"  # noqa: S608 - names are our own
        if table in (tables.VIDEOS, tables.TRACKLETS):
            kept = f"shard_id IN (SELECT shard_id FROM {memory}.main.shards)"  # noqa: S608 - names are our own
            rows = f"SELECT * FROM {published}.{table.name} WHERE {kept} UNION ALL BY NAME {rows}"  # noqa: S608 - as above
        connection.execute(f"CREATE TEMP VIEW {table.name} AS {rows}")
    return unreadable


def _add_shards(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, directories: Sequence[Path]) -> list[str]:
    """Adds the rows of some shards, all of a table at once; gives which could not be read and why."""
    unreadable = []
    rows: dict[str, list[Row]] = {table.name: [] for table in tables.SHARD_TABLES}
    for directory in directories:
        try:
            for table, own in _read_shard(layout, directory):
                rows[table.name] += own
        except StoreError as error:
            unreadable.append(str(error))
    for table in tables.SHARD_TABLES:
        tables.upsert(connection, table, rows[table.name])
    return unreadable


def _read_shard(layout: StoreLayout, directory: Path) -> tuple[tuple[tables.Table, list[Row]], ...]:
    manifest = read_manifest(directory)
    key = manifest.key
    ids = {"shard_id": key.shard_id, "pipeline": key.pipeline_digest}
    place = {**ids, "camera": key.camera}
    tracklets = [{**row, **ids} for row in read_tracklet_table(directory).to_pylist()]
    shard = tables.record_row(
        tables.SHARDS,
        manifest,
        **place,
        date=key.date,
        directory=directory.relative_to(layout.root).as_posix(),
        num_crops=manifest.rows,
        num_videos=len(manifest.videos),
    )
    videos = [tables.record_row(tables.VIDEOS, video, **place) for video in manifest.videos]
    return (tables.SHARDS, [shard]), (tables.VIDEOS, videos), (tables.TRACKLETS, tracklets)


def _copy(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    place = tables.quote_text(str(target))
    connection.execute(f"ATTACH {place} AS snapshot (STORAGE_VERSION '{SNAPSHOT_STORAGE_VERSION}')")
    try:
        with transaction(connection):
            for table in tables.PUBLISHED:
                condition = _SWEEP_FILTER if table in tables.SWEEP_TABLES else ""
                is_hits = table is tables.HITS
                names = ", ".join((*table.columns, "feedback") if is_hits else table.columns)
                rows = f"SELECT {names} FROM {_HITS_SOURCE if is_hits else table.name} {condition}"  # noqa: S608 - names are our own
                connection.execute(f"CREATE TABLE snapshot.{table.name} AS {rows}")
                connection.execute(f"COMMENT ON TABLE snapshot.{table.name} IS {tables.quote_text(table.about)}")
            connection.execute(f"CREATE VIEW snapshot.crops AS {_crops_sql(layout)}")
        connection.execute("CHECKPOINT snapshot")
    finally:
        connection.execute("DETACH snapshot")


def _crops_sql(layout: StoreLayout) -> str:
    """The Parquet files as one view; if there are none, the same columns without rows.

    It shows later shards, too, unless the file of one is cut off: then it lists the others.
    """
    pipelines: dict[Path, list[Path]] = {}
    for path in sorted(layout.shards.glob(f"*/*/*/*/{CROPS_FILE}")):
        pipelines.setdefault(path.parents[3], []).append(path)
    sources = []  # one schema per pipeline
    for folder, paths in pipelines.items():
        whole = [glob.escape(str(path)) for path in paths if is_whole(path)]
        shown = whole if len(whole) < len(paths) else [f"{glob.escape(str(folder))}/*/*/*/{CROPS_FILE}"]
        sources += [", ".join(map(tables.quote_text, shown))] if shown else []
    if not sources:
        return NO_CROPS_SQL
    files = [f"FROM read_parquet([{names}], filename = true)" for names in sources]
    source = "(" + " UNION ALL BY NAME ".join([*files, f"SELECT {_NO_BODY} WHERE false"]) + ")"
    ids = "split_part(filename, '/', -2) AS shard_id, split_part(filename, '/', -5) AS pipeline"
    return f"SELECT {ids}, {crop_columns_sql()} FROM {source}"  # noqa: S608 - the path is quoted


def is_whole(path: Path) -> bool:
    """Whether a Parquet file has its end, which a cut file lacks and without which no query can read any of them."""
    with suppress(OSError), path.open("rb") as file:
        return (
            file.seek(0, SEEK_END) >= len(_MAGIC) and file.seek(-len(_MAGIC), SEEK_END) >= 0 and file.read() == _MAGIC
        )
    return False


def crop_columns_sql() -> str:
    """The columns of the ``crops`` view; as in the tables, times are UTC without a zone."""
    names = [name for name in crops_view_schema().names if name != "wall_clock_utc"]
    return f"make_timestamp(epoch_us(wall_clock_utc)) AS wall_clock_utc, {', '.join(names)}"

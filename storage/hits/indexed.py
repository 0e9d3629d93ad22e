"""Adds what was indexed since the last sweep to an open database, in memory only: nothing is written to the store."""

import duckdb

from storage.disk.layout import StoreLayout
from storage.hits import tables
from storage.hits.snapshot import synchronize

_LIVE = (*tables.SHARD_TABLES, tables.QUARANTINE)


def create_unpublished(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Creates the tables of a store that no sweep has published; returns which shards could not be read and why."""
    for table in tables.PUBLISHED:
        connection.execute(table.create_sql)
    connection.execute(f"ALTER TABLE {tables.HITS.name} ADD COLUMN feedback VARCHAR")
    return synchronize(layout, connection)


def add_indexed(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, published: str) -> list[str]:
    """Makes shards, videos, tracklets and quarantine show what is on the disk now.

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

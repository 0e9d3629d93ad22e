"""Opening the writer's database, and saying why DuckDB refuses; the caller holds the writer's lock."""

import duckdb

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, find_remedy, fsync_path, guarded, unique_name
from storage.disk.layout import StoreLayout
from storage.hits.tables import ALL_TABLES

_CONNECTION_SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def open_working(layout: StoreLayout) -> duckdb.DuckDBPyConnection:
    """Opens the writer's database, made where there is none.

    Raises:
        StoreError: If it can't be made or opened.
    """
    with guarded("create", layout.working.parent):
        create_directories(layout.working.parent)
        create_directories(layout.temporary)
    try:
        if not layout.working.exists():
            _create(layout)
        return duckdb.connect(str(layout.working), config=dict(_CONNECTION_SETTINGS))
    except duckdb.Error as error:
        damaged = "If it is damaged, move it away; the snapshot stays readable."
        raise StoreError(say_why(f"Can't open {layout.working}", error, layout, damaged)) from error


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends the transaction without effect."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # DuckDB has ended it by itself; the first error says why


def say_why(what: str, error: duckdb.Error, layout: StoreLayout, remedy: str = "") -> str:
    """The message of an error of DuckDB, with what to do where the system's own reason is in it."""
    return f"{what}: {error}. {find_remedy(str(error), layout.working) or remedy}".rstrip(" .") + "."


def _create(layout: StoreLayout) -> None:
    """Makes the database elsewhere first: DuckDB never opens one again whose making was cut short."""
    building = layout.temporary / unique_name(layout.working.name)
    try:
        with duckdb.connect(str(building), config=dict(_CONNECTION_SETTINGS)) as connection:
            for table in ALL_TABLES:
                connection.execute(table.create_sql)
            connection.execute("CHECKPOINT")  # closing does that too, but says nothing where the disk is full
        with guarded("create", layout.working):
            fsync_path(building)
            reach("database.created")
            building.replace(layout.working)
            fsync_path(layout.working.parent)
    finally:
        for leftover in (building, building.with_name(f"{building.name}.wal")):
            leftover.unlink(missing_ok=True)

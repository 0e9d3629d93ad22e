"""Creates, opens and copies the writer's database; the caller holds the writer's lock."""

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, find_remedy, fsync_path, guarded, put_in_place, unique_name
from storage.disk.layout import StoreLayout
from storage.hits.tables import ALL_TABLES, quote_text

CONNECTION_SETTINGS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
COPY_STEM = "working.duckdb.copy"  # the name of a copy begins with this


@atexit.register
def _silence_leak_messages() -> None:
    """Closes standard error at exit if a daemon thread still runs, as in a Prefect worker.

    Such a thread keeps DuckDB's module alive, and DuckDB's binding library (nanobind) would list all of its types and
    functions as leaked: pages of messages that hide the last lines of the log.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def open_working(layout: StoreLayout, folder: Path) -> duckdb.DuckDBPyConnection:
    """Opens the writer's database, and creates it in the writer's ``folder`` if there is none.

    Raises:
        StoreError: If it can't be created or opened.
    """
    create_directories(layout.working.parent)
    try:
        if not layout.working.exists():
            _create(layout, folder)
        return duckdb.connect(str(layout.working), config=dict(CONNECTION_SETTINGS))
    except duckdb.Error as error:
        remedy = "If it is damaged, move it away; the snapshot stays readable."
        raise database_error(f"open {layout.working}", error, layout, remedy) from error


@contextmanager
def temporary_database(folder: Path, stem: str) -> Iterator[Path]:
    """A path for building a database in a folder; what is left there at the end of the block is removed."""
    building = folder / unique_name(stem)
    try:
        yield building
    finally:
        for leftover in (building, building.with_name(f"{building.name}.wal")):
            leftover.unlink(missing_ok=True)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits what the block does, or, if it fails, nothing of it."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # Ctrl-C, too: half of a block must not stay
        with suppress(duckdb.Error):  # DuckDB may have ended it already; the first error says why
            connection.execute("ROLLBACK")
        raise


def database_error(action: str, error: duckdb.Error, layout: StoreLayout, remedy: str = "") -> StoreError:
    """Our error for one of DuckDB, with a remedy if the message quotes the operating system."""
    message = f"Can't {action}: {error}. {find_remedy(str(error), layout.working) or remedy}"
    return StoreError(message.rstrip(" .") + ".")


def rewrite_database(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Closes the database and replaces its file with a copy: the old file keeps deleted rows in its free blocks.

    Raises:
        StoreError: If the copy can't be written, or the old file is still in use; then the old file stays.
    """
    with temporary_database(folder, COPY_STEM) as built:
        _copy(connection, built)
        connection.execute("CHECKPOINT")  # otherwise the old file's log would be replayed on the new file
        with guarded("write", built):
            fsync_path(built)
        reach("erasure.database_copied")
        connection.close()
        log = layout.working.with_name(f"{layout.working.name}.wal")
        if log.exists():
            raise StoreError(
                f"{log} is still there, so {layout.working} is in use. Close the programs that use it, then run again."
            )
        with guarded("replace", layout.working):
            built.replace(layout.working)
            fsync_path(layout.working.parent)
    reach("erasure.database_replaced")


def _copy(connection: duckdb.DuckDBPyConnection, built: Path) -> None:
    own = connection.execute("SELECT current_database()").fetchall()[0][0]
    connection.execute(f"ATTACH {quote_text(str(built))} AS fresh")
    try:
        connection.execute(f'COPY FROM DATABASE "{own}" TO fresh')
        connection.execute("CHECKPOINT fresh")
    finally:
        connection.execute("DETACH fresh")


def _create(layout: StoreLayout, folder: Path) -> None:
    """Builds the database under another name: DuckDB can't open one whose creation was interrupted."""
    with temporary_database(folder, layout.working.name) as building:
        with duckdb.connect(str(building), config=dict(CONNECTION_SETTINGS)) as connection:
            with transaction(connection):  # each table by itself takes twice as long
                for table in ALL_TABLES:
                    connection.execute(table.create_sql)
            connection.execute("CHECKPOINT")  # closing does this too, but does not report a full disk
        with guarded("create", layout.working):
            put_in_place(building, layout.working, "database.created")

"""A new file for the writer's database: DuckDB keeps the bytes of deleted rows in free blocks of the old one."""

from pathlib import Path

import duckdb

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import fsync_path, guarded, unique_name
from storage.disk.layout import StoreLayout
from storage.hits.tables import quote_text

COPY_STEM = "working.duckdb.copy"  # of the new file while it is built


def copy_database(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> Path:
    """Copies the rows, keys included, into a new file among the temporary ones; gives its path.

    Raises:
        StoreError: If it can't be put on the disk.
    """
    built = layout.temporary / unique_name(COPY_STEM)
    try:
        _copy(connection, built)
        connection.execute("CHECKPOINT")  # so that no log of the old file is left to be replayed on the new one
        with guarded("write", built):
            fsync_path(built)
    except BaseException:
        for leftover in (built, built.with_name(f"{built.name}.wal")):
            leftover.unlink(missing_ok=True)
        raise
    reach("erasure.database_copied")
    return built


def replace_database(layout: StoreLayout, built: Path) -> None:
    """Puts the new file in the place of the old one, which must be closed.

    Raises:
        StoreError: If the old one was not closed properly, or the new one can't be put in its place.
    """
    log = layout.working.with_name(f"{layout.working.name}.wal")
    if log.exists():
        raise StoreError(f"{log} is still there, so {layout.working} is in use. Close what reads it, then run again.")
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

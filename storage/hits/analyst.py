"""Read-only SQL over the published snapshot, safe for any SQL that a user may paste.

There are three barriers: the file is opened read-only, DuckDB may access no other file, and only plain SELECT is run.
The third is needed because DuckDB 2 regards COPY inside a WITH as a SELECT and lets it write next to the database.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from anomalylmm.errors import QueryError, StoreError
from storage.disk.layout import CROPS_FILE, StoreLayout, require_store
from storage.hits.database import CONNECTION_SETTINGS
from storage.hits.gaps import read_gaps_table
from storage.hits.runs import read_runs_table
from storage.hits.snapshot import NO_CROPS_SQL, add_indexed, create_unpublished, crop_columns_sql, is_whole
from storage.hits.tables import quote_text
from storage.shards.schema import crops_view_schema

_CONNECTION_SETTINGS = {
    **CONNECTION_SETTINGS,
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_SQL_IN_TEXT = {"query", "json_execute_serialized_sql"}  # functions that run their argument as SQL
_PLACE = pa.schema([(name, pa.string()) for name in ("pipeline", "camera_folder", "date", "shard_id")])


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """How much one query may take; 0 means no limit."""

    seconds: float = 0.0
    memory_bytes: int = 0
    rows: int = 0  # of the result, which takes memory in addition to DuckDB's own


NO_LIMITS = SqlLimits()


class Snapshot:
    """The published database, open for reading; it stays the same whatever is published later."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, max_rows: int = 0, unreadable: Sequence[str] = ()
    ) -> None:
        self.unreadable = tuple(unreadable)  # shards that are missing in the tables, and why
        self._connection, self._max_rows = connection, max_rows

    def run(self, sql: str, parameters: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of one SELECT; times are UTC without a zone.

        Raises:
            QueryError: If it is not a single SELECT, DuckDB refuses it, or the result has too many rows.
        """
        if any("\ud800" <= character <= "\udfff" for character in sql):
            raise QueryError("This SQL contains bytes that are not UTF-8: write it as UTF-8.")
        try:
            self._check(sql)
            cursor = self._connection.execute(sql, list(parameters))
            return [column[0] for column in cursor.description or ()], self._fetch(cursor)
        except (duckdb.Error, MemoryError) as error:
            raise QueryError(f"DuckDB refuses this SQL: {error}") from error
        except (OverflowError, TypeError, ValueError) as error:
            raise QueryError(f"Python has no type for a value of the result ({error}): cast it to VARCHAR.") from error

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT (see ``run``)."""
        return self.run(sql, parameters)[1]

    def select(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of one SELECT by the names of its columns (see ``run``)."""
        columns, rows = self.run(sql, parameters)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _fetch(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        if not self._max_rows:
            return cursor.fetchall()
        rows = cursor.fetchmany(self._max_rows + 1)
        if len(rows) > self._max_rows:
            raise QueryError(f"The result has over {self._max_rows:,} rows: add LIMIT, or raise the limit (--rows).")
        return rows

    def _check(self, sql: str) -> None:
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                "Only one SELECT (or FROM, WITH, SHOW, DESCRIBE, SUMMARIZE) can be run: this is read-only."
            )
        rows = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        try:
            tree = json.loads(rows[0][0])
            forbidden = next(_iter_forbidden(tree), "")
        except RecursionError:
            raise QueryError("This SQL is nested too deeply to be checked: use fewer levels.") from None
        if tree.get("error"):
            raise QueryError(f"This SQL can't be checked: {tree.get('error_message', 'no reason given')}")
        if forbidden:
            raise QueryError(f"{forbidden} is not allowed: the SQL may only read the tables of the snapshot.")


@contextmanager
def open_snapshot(layout: StoreLayout, limits: SqlLimits = NO_LIMITS) -> Iterator[Snapshot]:
    """Opens the published database; only its tables and the ``crops``, ``runs`` and ``gaps`` views can be read.

    Raises:
        StoreError: If no sweep has published yet, or the file can't be opened.
    """
    if not layout.snapshot.exists():
        raise StoreError(f"No sweep has published yet: {layout.snapshot} is missing. Run: anomalylmm sweep")
    with _open(layout, limits, with_indexed=False) as snapshot:
        yield snapshot


@contextmanager
def open_tables(layout: StoreLayout, limits: SqlLimits = NO_LIMITS) -> Iterator[Snapshot]:
    """Opens the published tables together with what was indexed since; no sweep need have run.

    Raises:
        StoreError: If there is no store, or the published database can't be opened.
    """
    require_store(layout)
    with _open(layout, limits, with_indexed=True) as snapshot:
        yield snapshot


@contextmanager
def _open(layout: StoreLayout, limits: SqlLimits, *, with_indexed: bool) -> Iterator[Snapshot]:
    with duckdb.connect(config=dict(_CONNECTION_SETTINGS)) as connection:
        try:
            unreadable = _attach(layout, connection, with_indexed)
            _add_crops(layout, connection)
            connection.register("runs", read_runs_table(layout))  # runs are kept in files, as index runs take no lock
            connection.register("gaps", read_gaps_table(layout))
            _restrict(connection, limits)
        except duckdb.Error as error:
            raise StoreError(
                f"Can't open {layout.snapshot}: {error}. Run: anomalylmm sweep, which writes it again."
            ) from error
        yield Snapshot(connection, limits.rows, unreadable)


def _attach(layout: StoreLayout, connection: duckdb.DuckDBPyConnection, with_indexed: bool) -> list[str]:
    """Makes the published database the current one; returns which shards could not be read and why."""
    if not layout.snapshot.exists():
        return create_unpublished(layout, connection)
    # if we connected to the file itself, DuckDB would share it with other connections to the same path
    connection.execute(f"ATTACH {quote_text(str(layout.snapshot))} AS store (READ_ONLY)")
    unreadable = add_indexed(layout, connection, "store") if with_indexed else []
    connection.execute("USE store")
    return unreadable


def run_sql(
    layout: StoreLayout, sql: str, parameters: Sequence[object] = (), limits: SqlLimits = NO_LIMITS
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT over the snapshot.

    Raises:
        StoreError: If there is no snapshot.
        QueryError: If it is not a single SELECT, or DuckDB refuses it.
    """
    with open_snapshot(layout, limits) as snapshot:
        return snapshot.run(sql, parameters)


def _add_crops(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> None:
    """Adds the ``crops`` view: Arrow reads the files, so that SQL need not be able to open any."""
    files = sorted(str(path) for path in layout.shards.glob(f"*/*/*/*/{CROPS_FILE}") if is_whole(path))
    if not files:
        connection.execute(f"CREATE TEMP VIEW crops AS {NO_CROPS_SQL}")
        return
    schema = pa.unify_schemas([_PLACE, crops_view_schema()])
    partitioning = ds.partitioning(_PLACE)
    crops = ds.dataset(
        files, schema=schema, format="parquet", partitioning=partitioning, partition_base_dir=str(layout.shards)
    )
    connection.register("crop_files", crops)
    columns = f"shard_id, pipeline, {crop_columns_sql()}"
    connection.execute(f"CREATE TEMP VIEW crops AS SELECT {columns} FROM crop_files")  # noqa: S608 - names are our own


def _restrict(connection: duckdb.DuckDBPyConnection, limits: SqlLimits) -> None:
    connection.execute("SET temp_directory = ''")
    if limits.memory_bytes:
        connection.execute(f"SET memory_limit = '{int(limits.memory_bytes)}B'")
    connection.execute(f"SET max_execution_time = {int(limits.seconds * 1000)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _iter_forbidden(tree: object) -> Iterator[str]:
    """The parts of a parsed statement that do more than read: other kinds of nodes, functions that run text."""
    if isinstance(tree, dict):
        kind, function = tree.get("type"), tree.get("function_name")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING_NODES:
            yield kind.removesuffix("_NODE").removesuffix("_QUERY")
        if isinstance(function, str) and function.lower() in _SQL_IN_TEXT:
            yield f"{function}()"
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _iter_forbidden(part)

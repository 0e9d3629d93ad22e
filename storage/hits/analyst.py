"""Read-only SQL over the published snapshot, for people who may paste anything.

Three walls: the file is opened read-only, DuckDB may touch no other file, and only plain SELECT is run, because
DuckDB 2 takes COPY inside a WITH for a SELECT, and lets it write beside the open database.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from anomalylmm.errors import QueryError, StoreError
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.hits.runs import read_runs_table
from storage.hits.snapshot import crop_columns_sql
from storage.hits.tables import quote_text
from storage.shards.schema import crops_view_schema

_CONNECTION_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_SQL_IN_TEXT = {"query", "json_execute_serialized_sql"}  # functions that run their argument
_PLACE = pa.schema([(name, pa.string()) for name in ("pipeline", "camera_folder", "date", "shard_id")])


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """How much one query may take; 0 for no limit."""

    seconds: float = 0.0
    memory_bytes: int = 0
    rows: int = 0  # of the result, which is held in memory beside DuckDB's own


NO_LIMITS = SqlLimits()


class Snapshot:
    """The published database, open for reading as it is now, whatever is published later."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, max_rows: int = 0) -> None:
        """Takes over a connection that ``open_snapshot`` has shut off."""
        self._connection, self._max_rows = connection, max_rows

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection."""
        self._connection.close()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of one SELECT; times come without a zone and are UTC.

        Raises:
            QueryError: If it is anything else than one SELECT, DuckDB refuses it, or it gives more than it may.
        """
        if any("\ud800" <= character <= "\udfff" for character in sql):
            raise QueryError("This SQL holds bytes that are no UTF-8: write it as UTF-8.")
        try:
            self._check(sql)
            cursor = self._connection.execute(sql, list(parameters))
            return [column[0] for column in cursor.description or ()], self._fetch(cursor)
        except (duckdb.Error, MemoryError) as error:
            raise QueryError(f"DuckDB refuses this SQL: {error}") from error
        except (OverflowError, TypeError, ValueError) as error:
            raise QueryError(f"The result holds a value that Python has not ({error}): cast it to VARCHAR.") from error

    def _fetch(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        if not self._max_rows:
            return cursor.fetchall()
        rows = cursor.fetchmany(self._max_rows + 1)
        if len(rows) > self._max_rows:
            raise QueryError(f"The result has over {self._max_rows:,} rows: add LIMIT, or allow more.")
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
            raise QueryError("This SQL is nested too deeply to be checked: write it flatter.") from None
        if tree.get("error"):
            raise QueryError(f"This SQL can't be checked: {tree.get('error_message', 'no reason given')}")
        if forbidden:
            raise QueryError(f"{forbidden} is not allowed: only reading of the snapshot's own tables is.")


def open_snapshot(layout: StoreLayout, *, timeout_seconds: float = 0.0, limits: SqlLimits = NO_LIMITS) -> Snapshot:
    """Opens the published database; the tables and the ``crops`` view can be read, nothing else.

    Args:
        layout: The store.
        timeout_seconds: A query that takes longer is ended; 0 for what ``limits`` says.
        limits: How much one query may take.

    Raises:
        StoreError: If no sweep has published yet, or the file can't be opened.
    """
    if not layout.snapshot.exists():
        raise StoreError(f"No sweep has published yet: {layout.snapshot} is missing. Run: anomalylmm sweep")
    connection = duckdb.connect(config=dict(_CONNECTION_SETTINGS))
    try:
        _attach(layout, connection)
        _add_crops(layout, connection)
        _add_runs(layout, connection)
        _shut_off(connection, timeout_seconds or limits.seconds, limits.memory_bytes)
    except duckdb.Error as error:
        connection.close()
        raise StoreError(
            f"Can't open {layout.snapshot}: {error}. Run: anomalylmm sweep, which writes it anew."
        ) from error
    return Snapshot(connection, limits.rows)


def run_sql(
    layout: StoreLayout, sql: str, parameters: Sequence[object] = (), limits: SqlLimits = NO_LIMITS
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SELECT over the snapshot.

    Raises:
        StoreError: If there is no snapshot.
        QueryError: If it is anything else than one SELECT, or DuckDB refuses it.
    """
    with open_snapshot(layout, limits=limits) as snapshot:
        return snapshot.run(sql, parameters)


def _attach(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> None:
    """Opens the file itself; DuckDB would give a second ``connect`` to the same path the file that the first opened."""
    connection.execute(f"ATTACH {quote_text(str(layout.snapshot))} AS store (READ_ONLY)")
    connection.execute("USE store")


def _add_crops(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> None:
    """Gives the ``crops`` view without letting SQL open files: Arrow reads them."""
    files = sorted(str(path) for path in layout.shards.glob(f"*/*/*/*/{CROPS_FILE}"))
    if not files:
        return  # the snapshot's own view has the columns, without rows
    schema = pa.unify_schemas([_PLACE, crops_view_schema()])
    partitioning = ds.partitioning(_PLACE)
    crops = ds.dataset(
        files, schema=schema, format="parquet", partitioning=partitioning, partition_base_dir=str(layout.shards)
    )
    connection.register("crop_files", crops)
    columns = f"shard_id, pipeline, {crop_columns_sql()}"
    connection.execute(f"CREATE TEMP VIEW crops AS SELECT {columns} FROM crop_files")  # noqa: S608 - names are our own


def _add_runs(layout: StoreLayout, connection: duckdb.DuckDBPyConnection) -> None:
    """Gives the ``runs`` view: index runs write while nobody holds the database, so its rows lie in files."""
    connection.register("runs", read_runs_table(layout))


def _shut_off(connection: duckdb.DuckDBPyConnection, timeout_seconds: float, memory_bytes: int) -> None:
    connection.execute("SET temp_directory = ''")
    if memory_bytes:
        connection.execute(f"SET memory_limit = '{int(memory_bytes)}B'")
    connection.execute(f"SET max_execution_time = {int(timeout_seconds * 1000)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _iter_forbidden(tree: object) -> Iterator[str]:
    """What a parsed statement holds beside reading: other kinds of nodes, functions that run text."""
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

"""Commands for the analyst: ``sql`` and ``report``."""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    print_json,
    print_records,
    print_table,
    say,
)
from flows.runs.limits import hard_limits
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from storage.hits.analyst import SqlLimits

TABLES_SQL = (
    "select table_name, string_agg(column_name, ', ' order by column_index) as columns "
    "from (select table_name, column_name, max(column_index) as column_index from duckdb_columns() "
    "where not internal and table_name not like 'all\\_%' escape '\\' group by all) group by all order by all"
)


def sql(
    query: Annotated[str | None, typer.Argument(help="One SQL statement; leave it out to list the tables.")] = None,
    store: StoreOption = DEFAULT_STORE,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds after which the statement is stopped; 0 for no limit.")
    ] = 300,
    memory: Annotated[float, typer.Option(min=0, help="Memory it may use, in GB; 0 for most of the machine's.")] = 4,
    rows: Annotated[int, typer.Option(min=0, help="Rows it may return; 0 for no limit.")] = 1_000_000,
    json: JsonOption = False,
) -> None:
    """Runs one SQL statement on the tables, read-only. It works during a sweep, and before the first one.

    Example: `anomalylmm sql "select query_name, camera, confidence from hits order by confidence desc"`
    """
    from storage.hits.analyst import SqlLimits

    limits = SqlLimits(seconds=timeout, memory_bytes=int(memory * 1e9), rows=rows)
    with hard_limits(limits.seconds, limits.memory_bytes):
        columns, found = _run(StoreLayout(store), query or TABLES_SQL, limits)
    if json:
        names = tell_apart(columns)
        print_json([dict(zip(names, row, strict=True)) for row in found])
    elif query:
        print_records(columns, found)
    else:
        print_table(columns, found)


def _run(layout: StoreLayout, query: str, limits: "SqlLimits") -> tuple[list[str], list[tuple[Any, ...]]]:
    """Runs the statement; what the tables lack is said on standard error."""
    from storage.hits.analyst import open_tables

    with open_tables(layout, limits) as snapshot:
        for problem in snapshot.unreadable:
            say(f"warning: a shard is left out: {problem}", err=True)
        if not snapshot.run("select 1 from videos limit 1")[1]:
            say(
                f"note: {layout.root} has no indexed video; run: anomalylmm index ARCHIVE --store {layout.root}",
                err=True,
            )
        elif not layout.snapshot.exists():
            say(
                f"note: no sweep has run yet, so there are no hits; run: anomalylmm sweep --store {layout.root}",
                err=True,
            )
        return snapshot.run(query)


def tell_apart(columns: Sequence[str]) -> list[str]:
    """Makes the names of columns unique: the second ``camera`` becomes ``camera_2``."""
    names: list[str] = []
    for column in columns:
        candidates = (column if number == 1 else f"{column}_{number}" for number in count(1))
        names.append(next(name for name in candidates if name not in names and (name == column or name not in columns)))
    return names


def report(store: StoreOption = DEFAULT_STORE) -> None:
    """Writes an HTML page of all published hits, best first, with pictures and the judge's answers.

    Example: `anomalylmm report --store store`
    """
    from flows.sweep.page import write_latest_page

    say(write_latest_page(StoreLayout(store)))

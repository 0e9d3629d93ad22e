"""Commands for the analyst: ``sql`` and ``report``."""

from typing import Annotated

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
from flows.commands.limits import hard_limits
from flows.sweep.page import write_latest_page
from storage.disk.layout import StoreLayout
from storage.hits.analyst import SqlLimits, run_sql

TABLES_SQL = (
    "select table_name, string_agg(column_name, ', ' order by column_index) as columns "
    "from duckdb_columns() where not internal and table_name not like 'all\\_%' escape '\\' group by all order by all"
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
    """Runs one SQL statement on the published tables, read-only. It works during a sweep.

    Example: `anomalylmm sql "select query_name, camera, confidence from hits order by confidence desc"`
    """
    limits = SqlLimits(seconds=timeout, memory_bytes=int(memory * 1e9), rows=rows)
    with hard_limits(limits.seconds, limits.memory_bytes):
        columns, found = run_sql(StoreLayout(store), query or TABLES_SQL, limits=limits)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in found])
    elif query:
        print_records(columns, found)
    else:
        print_table(columns, found)


def report(store: StoreOption = DEFAULT_STORE) -> None:
    """Writes an HTML page of all published hits, best first, with pictures and the judge's answers.

    Example: `anomalylmm report --store store`
    """
    say(write_latest_page(StoreLayout(store)))

"""Commands for the analyst: ``sql``, ``report`` and ``queries``."""

from typing import Annotated

import typer

from flows.commands import saved_queries
from flows.commands.common import DEFAULT_STORE, JsonOption, StoreOption, layout_of, print_json, print_table
from flows.sweep_page import write_latest_page
from storage.analyst import run_sql

TABLES_SQL = (
    "select table_name, string_agg(column_name, ', ' order by column_index) as columns "
    "from duckdb_columns() where not internal and table_name not like 'all\\_%' escape '\\' group by all order by all"
)


def sql(
    query: Annotated[str | None, typer.Argument(help="One SQL statement; without it the tables are listed.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Asks SQL over the published hits, read-only; a running sweep is not in its way.

    Example: `anomalylmm sql "select query_name, camera, confidence from hits order by confidence desc"`
    """
    columns, rows = run_sql(layout_of(store), query or TABLES_SQL)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


def report(store: StoreOption = DEFAULT_STORE) -> None:
    """Writes the page of all published hits, best first, with pictures and the judge's slots.

    Example: `anomalylmm report --store store`
    """
    typer.echo(write_latest_page(layout_of(store)))


def add_to(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("sql")(sql)
    app.command("report")(report)
    saved_queries.add_to(app)

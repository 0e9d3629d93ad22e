"""Commands for the analyst: ``sql``, ``report`` and ``queries``."""

from pathlib import Path
from typing import Annotated

import typer

from anomalylmm.lexicon import Lexicon
from flows.commands.common import DEFAULT_STORE, JsonOption, StoreOption, layout_of, print_json, print_table
from flows.query_file import default_query_file, read_queries
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


def queries(
    file: Annotated[Path | None, typer.Option("--queries", help="Your own queries.toml.")] = None,
    json: JsonOption = False,
) -> None:
    """Checks the saved queries' file and shows how each is masked.

    Example: `anomalylmm queries --queries my-queries.toml`
    """
    found = read_queries(file or default_query_file(), Lexicon.load())
    if json:
        print_json(found)
        return
    rows = [
        (query.name, query.text, query.cloze.masked, " ".join(slot.word for slot in query.cloze.slots),
         "yes" if query.enabled else "no", query.version)
        for query in found
    ]  # fmt: skip
    print_table(("name", "text", "cloze", "asked for", "enabled", "version"), rows)


def add_to(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("sql")(sql)
    app.command("report")(report)
    app.command("queries")(queries)

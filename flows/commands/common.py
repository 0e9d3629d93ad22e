"""Options that several commands share, and how results are printed."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flows.composition import Composition
from flows.settings import load_settings
from storage.layout import StoreLayout

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="ANOMALYLMM_STORE", help="Folder of shards, hits and reports.")
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", envvar="ANOMALYLMM_PROFILE", help="Shipped profile: pocket, cpu or gpu.")
]
SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", envvar="ANOMALYLMM_SETTINGS", help="TOML file of your own that overrides the profile."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 8 where not everything could be read.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
DEFAULT_STORE = Path("store")


def compose(profile: str | None, settings: Path | None) -> Composition:
    """Builds the composition of a command from its options."""
    return Composition(load_settings(profile, settings))


def layout_of(store: Path) -> StoreLayout:
    """Names the store's paths."""
    return StoreLayout(store)


def print_json(value: object) -> None:
    """Prints a record, list or dict as JSON on standard output."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=1))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Prints a table; cells are data and never read as markup."""
    table = Table(title=title or None, title_justify="left", header_style="bold", show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    width = None if sys.stdout.isatty() else 160
    Console(markup=False, highlight=False, width=width).print(table)


def _cell(value: object) -> Any:
    from rich.text import Text

    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, datetime):
        return Text(value.isoformat(sep=" ", timespec="seconds"))
    return Text("" if value is None else str(_plain(value) if isinstance(value, bytes) else value))

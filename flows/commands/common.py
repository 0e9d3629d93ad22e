"""Options that several commands share, and functions that print results."""

import json
import math
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flows.runs.terminal import one_line, visible

if TYPE_CHECKING:
    from rich.table import Table

    from flows.composition import Composition

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="ANOMALYLMM_STORE", help="Folder of shards, hits and reports.")
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", envvar="ANOMALYLMM_PROFILE", help="Shipped profile: pocket, cpu or gpu.")
]
SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", envvar="ANOMALYLMM_SETTINGS", help="Your own TOML file, which overrides the profile."),
]
MovedOption = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        envvar="ANOMALYLMM_ARCHIVE",
        help="Where the videos are now, if they have moved since; used with rerank.moment_frames.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 8 if something could not be read.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress bars.")]
DEFAULT_STORE = Path("store")
_UNPRINTED = re.compile(
    "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # json.dumps leaves them as they are


def compose(profile: str | None, settings: Path | None) -> "Composition":
    """Builds the composition from a command's options."""
    from flows.composition import Composition
    from flows.settings.model import load_settings

    return Composition(load_settings(profile, settings))


def print_json(value: object) -> None:
    """Prints a record, list or dict as JSON on standard output."""
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(_to_json(value), ensure_ascii=not is_unicode, allow_nan=False, indent=1)
    typer.echo(_UNPRINTED.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def say(text: object, *, err: bool = False) -> None:
    """Prints one line of text with line breaks and terminal control characters escaped."""
    with suppress(BrokenPipeError) if err else nullcontext():  # nobody reads the messages, and the work goes on
        typer.echo(one_line(str(text)), err=err)


def _to_json(value: object) -> Any:
    """Converts a value to JSON types; keys, NaN and infinite values become strings."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(_plain(key)): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Prints a table; text in cells is never interpreted as markup."""
    _console().print(_table(columns, rows, title))


def print_records(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Prints a table, or one line for each value if there is too little width for a table."""
    table, console = _table(columns, rows, title), _console()
    needed = console.measure(table, options=console.options.update_width(sys.maxsize)).maximum
    if needed <= console.width:
        console.print(table)
        return
    if title:
        say(title)
    names = [one_line(column) for column in columns]
    if not rows:
        say(f"no rows; columns: {', '.join(names)}")
    width = max(map(len, names))
    for number, row in enumerate(rows, 1):
        say(f"-- {number} of {len(rows)}")
        for name, value in zip(names, row, strict=True):
            say(f"{name:{width}}  {_written(value)}".rstrip())


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=visible(title) or None, title_justify="left", header_style="bold", show_lines=False)
    for column in columns:
        table.add_column(Text(visible(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_written(value))) for value in row))
    return table


class _ResultConsole(Console):
    """Standard output, whose reader may close it at any time, as ``head`` does."""

    def on_broken_pipe(self) -> None:
        """Raises the error again, so that the program ends as for other output."""
        raise BrokenPipeError


def _console() -> Console:
    return _ResultConsole(markup=False, highlight=False, width=None if sys.stdout.isatty() else 160)


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if value is None:
        return ""
    return _plain(value) if isinstance(value, bytes) else str(value)

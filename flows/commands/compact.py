"""The command ``compact``."""

import typer

from flows.commands.common import DEFAULT_STORE, JsonOption, StoreOption, layout_of, print_json
from flows.maintain.compacting import describe_compaction
from storage.gallery.compacting import compact_store
from storage.upkeep.erasure import require_store


def compact(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Puts the vectors of many shards together, so that searches read less; they find the same. Safe to repeat.

    Example: `anomalylmm compact`
    """
    layout = layout_of(store)
    require_store(layout)
    report = compact_store(layout)
    if json:
        print_json(report)
    else:
        typer.echo(describe_compaction(report))


def add_to(app: typer.Typer) -> None:
    """Adds this command."""
    app.command("compact")(compact)

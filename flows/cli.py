"""The ``anomalylmm`` program: registers the commands and turns errors into messages and exit codes."""

import os
import sys

import typer
from rich.console import Console

from anomalylmm import __version__
from anomalylmm.errors import AnomalyLMMError
from flows.commands import (
    analysis,
    erase,
    evaluate,
    export,
    index_and_sweep,
    recamera,
    review,
    saved_queries,
    search,
    settings,
    upkeep,
)
from flows.runs.terminal import visible

EXIT_CODES = """\
Exit codes: 0 done · 1 other error · 2 wrong argument, setting or query · 3 weights missing or refused ·
4 archive or video unreadable · 5 store damaged or not writable · 6 another process is writing ·
7 the judge did not answer · 8 done, but something could not be read (with --strict; erase always) · 130 interrupted
"""

app = typer.Typer(
    name="anomalylmm",
    help="Finds people by what they do in video archives.\n\nExample: "
    "`anomalylmm index videos/ && anomalylmm sweep && anomalylmm sql 'from hits'`",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    *(index_and_sweep.index, index_and_sweep.sweep, search.search, analysis.sql, analysis.report),
    *(export.export, review.feedback, upkeep.verify, upkeep.gc, upkeep.serve, upkeep.models, upkeep.doctor),
    *(settings.settings, upkeep.compact, erase.erase, recamera.recamera),
):
    app.command()(command)
app.add_typer(saved_queries.app)
app.add_typer(evaluate.app, name="evaluate")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True)) -> None:
    """Registers the options that all commands share."""


def main() -> None:
    """Runs one command; an expected error is printed as one message and sets the exit code."""
    try:
        app()
    except AnomalyLMMError as error:
        Console(stderr=True).print(f"error: {visible(str(error))}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""The ``anomalylmm`` program: registers the commands and turns errors into messages and exit codes."""

import errno
import os
import sys

import typer

from anomalylmm import __version__
from anomalylmm.errors import AnomalyLMMError
from flows.commands import (
    analysis,
    checks,
    desk,
    erase,
    evaluate,
    export,
    index_and_sweep,
    recamera,
    review,
    saved_queries,
    search,
    upkeep,
)
from flows.runs.stopping import end_in_order, exit_when_stopped
from flows.runs.terminal import MessageConsole, prepare_streams, visible

EXIT_CODES = """\
Exit codes: 0 done · 1 other error · 2 wrong argument, setting or query · 3 weights missing or refused ·
4 archive or video unreadable · 5 store damaged or not writable · 6 another process is writing ·
7 the judge did not answer · 8 done, but something could not be read (index and export
with --strict; erase and recamera always) · 130 stopped by Ctrl-C · 143 stopped by SIGTERM
"""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)

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
    *(export.export, desk.review, review.feedback, upkeep.verify, upkeep.gc, upkeep.serve, checks.models),
    *(checks.doctor, checks.settings, upkeep.compact, erase.erase, recamera.recamera),
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
    prepare_streams()
    end_in_order()
    with exit_when_stopped():
        _run()


def _run() -> None:
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except AnomalyLMMError as error:
        _print_error(str(error))
        sys.exit(error.exit_code)
    except (BrokenPipeError, SystemExit) as end:
        if not _is_without_reader(end):
            raise
        _discard_output()
        sys.exit(0)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        _discard_output()
        _print_error(f"the disk can't take what is written: {error}. Free space there, then run again.")
        sys.exit(1)


def _is_without_reader(end: BaseException) -> bool:
    """Whether a command ended because nobody reads its output any more; typer and rich make that an exit."""
    return isinstance(end, BrokenPipeError) or isinstance(end.__context__, BrokenPipeError)


def _print_error(message: str) -> None:
    MessageConsole().print(f"error: {visible(message)}", style="red", markup=False, highlight=False)


def _discard_output() -> None:
    """Lets the interpreter flush standard output into nothing when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()

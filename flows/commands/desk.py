"""The ``review`` command: serves the review desk."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.common import DEFAULT_STORE, ProfileOption, SettingsOption, StoreOption, compose, say
from flows.runs.stopping import explain_when_stopped
from storage.disk.layout import StoreLayout


def review(
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            envvar="ANOMALYLMM_ARCHIVE",
            help="Folder or address of the source videos; without it no clips are played.",
        ),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Your own queries.toml, which the desk may change.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to serve at; any but this computer's own needs a password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")] = 8765,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            envvar="ANOMALYLMM_REVIEW_PASSWORD_FILE",
            help="File with the hash of a password, which everybody must then enter.",
        ),
    ] = None,
    set_password: Annotated[
        Path | None,
        typer.Option("--set-password", help="Ask for a password, write its hash to this file, and serve nothing."),
    ] = None,
) -> None:
    """Serves a web page on which you look at incidents, play them, and confirm or reject them. Stop it with Ctrl-C.

    It is reached from this computer only, unless you give `--host` and `--password-file`. Decisions count at once and
    go to the next sweep like those of `anomalylmm feedback`.

    Example: `anomalylmm review --archive /media/cameras --queries my-queries.toml`
    """
    if set_password is not None:
        _write_password(set_password)
        return
    from flows.desk.serving import DeskOptions, open_desk, serve_desk

    options = DeskOptions(host=host, port=port, password_file=password_file, archive=archive, queries_file=queries)
    explained = explain_when_stopped(lambda: "all decisions are kept in the store.")
    with explained, open_desk(compose(profile, settings), StoreLayout(store), options) as desk:
        serve_desk(desk, options, lambda address: say(f"the review desk is at {address} (stop it with Ctrl-C)"))


def _write_password(path: Path) -> None:
    from flows.desk.access import hash_password, write_hash

    asks = sys.stdin.isatty()
    password = typer.prompt("password", hide_input=True, confirmation_prompt=True) if asks else sys.stdin.readline()
    write_hash(path, hash_password(password.rstrip("\n")))
    say(f"written: {path}; serve with --password-file {path}")

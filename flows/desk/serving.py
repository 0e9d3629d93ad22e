"""Checks how a review desk may be reached, and serves it until it is stopped."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from anomalylmm.errors import ConfigurationError
from flows.archives.asking import hurried
from flows.archives.files import check_archive
from flows.composition import Composition
from flows.desk.access import read_hash
from flows.desk.app import create_app
from flows.desk.clips import ClipShelf
from flows.desk.desk import Desk
from flows.desk.searches import Uploads
from flows.runs.user import current_user
from flows.search.searcher import open_searcher
from storage.disk.files import create_directories, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.leftovers import locked_directory
from storage.hits.board import Board


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """Where a desk serves, and who may use it."""

    host: str = "127.0.0.1"
    port: int = 8765  # 0: any free one
    password_file: Path | None = None
    archive: Path | None = None
    queries_file: Path | None = None


@contextmanager
def open_desk(composition: Composition, layout: StoreLayout, options: DeskOptions) -> Iterator[Desk]:
    """Checks the options and opens the store; what the desk has made for itself is removed at the end.

    Raises:
        ConfigurationError: Others could reach the desk without a password, or the password file is wrong.
        ArchiveError: The archive is not a folder.
        StoreError: There is no store, or it can't be read.
    """
    if options.password_file is None and not is_loopback(options.host):
        raise ConfigurationError(
            f"--host {options.host} lets other computers open the desk, which shows recordings of people: name a "
            "password file with --password-file (made by: anomalylmm review --set-password FILE), or leave out --host"
        )
    hashed = read_hash(options.password_file) if options.password_file else ""
    if options.archive is not None:
        with hurried(composition.settings.archive.wait_seconds):
            check_archive(options.archive)
    with closing(Board(layout)) as board:
        folder = layout.temporary / unique_name("desk")
        create_directories(layout.temporary)
        with locked_directory(folder):
            yield Desk(
                layout=layout,
                board=board,
                clips=_open_shelf(composition, layout, folder, options.archive),
                composition=composition,
                searcher=open_searcher(composition, layout),
                uploads=Uploads(folder),
                archive=options.archive,
                queries_file=options.queries_file,
                password_hash=hashed,
                user=current_user(),
            )


def _open_shelf(composition: Composition, layout: StoreLayout, folder: Path, archive: Path | None) -> ClipShelf:
    wait_seconds = composition.settings.archive.wait_seconds
    return ClipShelf(folder, layout, composition.previews, archive, composition.copies, wait_seconds)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve_desk(desk: Desk, options: DeskOptions, say_ready: Callable[[str], None]) -> None:
    """Serves a desk; ``say_ready`` gets its address.

    Raises:
        ConfigurationError: The address can't be used.
    """
    listener = _listen(options)
    config = uvicorn.Config(create_app(desk), log_level="warning", access_log=False, server_header=False, ws="none")
    host, port = listener.getsockname()[:2]
    with listener:
        say_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        uvicorn.Server(config).run(sockets=[listener])


def _listen(options: DeskOptions) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"the desk can't serve at {options.host}, port {options.port}: {error}; name another with --host or --port"
        ) from error
    return listener

"""Tells quickly and in plain words why a cluster can't be used."""

import socket
from urllib.parse import urlsplit

from anomalylmm.errors import EngineError

CONNECT_SECONDS = 10.0


def check_reachable(engine: str, address: str, how_to_start: str) -> None:
    """Opens and closes a connection, because the libraries themselves may wait for minutes.

    Raises:
        EngineError: Nobody listens at the address, or it is not ``host:port``.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or not port:
        raise EngineError(
            f"workers.address is {address!r}, but it must name a host and a port, such as tcp://head:8786 for dask "
            "or ray://head:10001 for ray; correct it"
        )
    try:
        socket.create_connection((parts.hostname, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise EngineError(
            f"{engine} can't be reached at {address}: {error}. Start it there ({how_to_start}), or correct "
            "workers.address in the settings"
        ) from error

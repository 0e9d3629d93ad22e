"""A stand-in for an object server, with fsspec's memory behind it, that can be told to fail in several ways."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flows.archives import asking, remote

ARCHIVE = Path("memory://footage/night")
FAULTS = ("denied", "failing", "cut", "silent")
STALL_SECONDS = 0.3  # in place of a minute


class FaultyServer:
    """Answers as it should until ``failing`` says otherwise; ``num_faults`` counts the requests that failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_faults = 0
        self._fault, self._where, self._names = "", "", frozenset[str]()
        self._over = threading.Event()
        for name in ("info", "ls", "cat_ranges"):
            monkeypatch.setattr(MemoryFileSystem, name, self._watched(name, getattr(MemoryFileSystem, name)))

    def put(self, folder: Path) -> None:
        """Holds the files of a folder."""
        files = fsspec.filesystem("memory")
        for path in folder.rglob("*.mp4"):
            files.pipe_file(f"/footage/night/{path.relative_to(folder).as_posix()}", path.read_bytes())

    @contextmanager
    def failing(self, fault: str, *, content_only: bool = False, where: str = "") -> Iterator[None]:
        """Fails for a while: for all requests, or those for content, or those whose path contains a text.

        Before and after, as after some minutes, the server is no longer left alone because of earlier failures.
        """
        self.num_faults = 0
        remote._connect.cache_clear()
        self._where, self._fault = where, fault
        self._names = frozenset(("cat_ranges",)) if content_only else frozenset(("info", "ls", "cat_ranges"))
        try:
            yield
        finally:
            self._fault = ""
            remote._connect.cache_clear()

    def close(self) -> None:
        """Lets go the threads that still wait for an answer."""
        self._over.set()

    def _watched(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def watched(files: Any, path: Any, *given: Any, **named: Any) -> Any:
            if self._fault and name in self._names and self._where in str(path):
                self.num_faults += 1
                self._fail()
            return ask(files, path, *given, **named)

        return watched

    def _fail(self) -> None:
        if self._fault == "denied":
            raise PermissionError("Forbidden")
        if self._fault == "failing":
            raise OSError("Internal Server Error")
        if self._fault == "silent":
            self._over.wait(60)
        raise ConnectionResetError("the answer is cut off")


@contextmanager
def faulty_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Puts the stand-in in place of servers; nobody waits long for it, and failures of other tests are forgotten."""
    monkeypatch.setattr(asking, "STALL_SECONDS", STALL_SECONDS)
    monkeypatch.setattr(asking, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(remote, "_connect", lru_cache(remote._connect.__wrapped__))
    files = fsspec.filesystem("memory")
    files.store.clear()
    server = FaultyServer(monkeypatch)
    try:
        yield server
    finally:
        server.close()
        files.store.clear()

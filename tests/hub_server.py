"""A loopback server with the shape of the Hugging Face hub, for models in folders; it can fail on purpose."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".pt", ".onnx")  # kept by git's large file storage


class HubServer(ThreadingHTTPServer):
    """Serves ``FOLDER/org/name/...`` as models."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.broken_off: dict[str, int] = {}  # file: bytes after which the next connection breaks off, once
        self.damaged: set[str] = set()  # files that arrive with another last byte
        self.gated: set[str] = set()  # repositories that ask for consent
        self.sent: list[tuple[str, int]] = []  # file, first byte of each download

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        repository = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        folder = self.server.folder / repository
        if not folder.is_dir():
            self._send(404, b"", with_body, {"X-Error-Code": "RepoNotFound"})
        elif repository in self.server.gated:
            self._send(401, b"", with_body, {"X-Error-Code": "GatedRepo"})
        elif parts[0] == "api":
            self._send(200, json.dumps(describe(repository, folder)).encode(), with_body, {})
        else:
            self._send_file("/".join(parts[4:]), folder, with_body)

    def _send_file(self, name: str, folder: Path, with_body: bool) -> None:
        content, headers = (folder / name).read_bytes(), {"X-Repo-Commit": REVISION}
        headers["ETag"] = f'"{digests(name, content)[-1]}"'
        if name in self.server.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if with_body:
            self.server.sent.append((name, start))
        stop = self.server.broken_off.pop(name, 0) if with_body else 0
        self._send(206 if start else 200, content[start:], with_body, headers, stop=stop)

    def _send(self, status: int, body: bytes, with_body: bool, headers: dict[str, str], *, stop: int = 0) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(body[:stop] if stop else body)
        self.close_connection = True


def digests(name: str, content: bytes) -> tuple[str, ...]:
    """Gives git's id of a file, and after it the SHA-256 of a large one."""
    git_id = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return (git_id, hashlib.sha256(content).hexdigest()) if name.endswith(LARGE) else (git_id,)


def describe(repository: str, folder: Path) -> dict[str, object]:
    """Describes a model as the hub's interface does."""
    siblings = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        git_id, *sha256 = digests(name, content)
        large = {"lfs": {"sha256": sha256[0], "size": len(content), "pointerSize": 130}} if sha256 else {}
        siblings.append({"rfilename": name, "size": len(content), "blobId": git_id, **large})
    return {"id": repository, "sha": REVISION, "tags": ["license:apache-2.0"], "siblings": siblings}


@contextmanager
def serving(folder: Path) -> Iterator[HubServer]:
    """Serves a folder of models while the block runs."""
    with HubServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

"""Servers for tests on loopback, in threads: any handler, and one that answers as scripted."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """What a scripted server answers, one reply a request, the last one for ever; and what it was asked."""

    replies: list[tuple[int, Any]]
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drips: bool = False  # a byte now and then, without end
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    max_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply_to(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Notes a request and gives its reply."""
        with self.lock:
            self.bodies.append(body)
            status, content = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if callable(content):
            content = content(body)
        return status, content if isinstance(content, bytes) else json.dumps(content).encode()


class ScriptedHandler(BaseHTTPRequestHandler):
    """Answers every POST as its script says."""

    protocol_version = "HTTP/1.1"
    script: Script

    def do_POST(self) -> None:
        script = self.script
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script.keys.append(self.headers.get("Authorization", ""))
        with script.lock:
            script.at_once += 1
            script.max_at_once = max(script.max_at_once, script.at_once)
        time.sleep(script.delay_seconds)
        with script.lock:
            script.at_once -= 1
        try:
            self._write(*script.reply_to(body))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _write(self, status: int, content: bytes) -> None:
        self.send_response(status)
        for name, value in self.script.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(1 << 40 if self.script.drips else len(content)))
        self.end_headers()
        while self.script.drips:
            self.wfile.write(b" ")
            time.sleep(0.02)
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@contextmanager
def scripted_server(script: Script) -> Iterator[str]:
    """Runs a server that follows the script, and gives its base URL."""
    with serve(type("Handler", (ScriptedHandler,), {"script": script})) as url:
        yield url


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answers requests on a free port by a handler, and gives the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

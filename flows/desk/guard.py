"""What every request passes before a page sees it: host, size, session and CSRF token; and the headers of answers."""

import hmac
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.desk.access import Session, Sessions

COOKIE = "anomalylmm_desk"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
OPEN_PATHS = ("/login", "/static/")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_BODY_BYTES = 16 << 20
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """An ASGI application around the desk's own; a request that it refuses never reaches a page.

    Args:
        app: The desk.
        sessions: Who is logged in.
        who_without_password: The name noted for decisions if no password is needed; None if one is.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, who_without_password: str | None) -> None:
        self._app, self._sessions, self._who = app, sessions, who_without_password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session, new_key = self._find_session(scope, headers)
        scope.setdefault("state", {})["session"] = session
        refusal = self._refuse(scope, headers, session)
        guarded = _Sender(send, scope, new_key)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, _Limited(receive), guarded)
        except _TooLargeError:
            await PlainTextResponse("The request is too large.", 413)(scope, receive, guarded)

    def _find_session(self, scope: Scope, headers: Headers) -> tuple[Session | None, str]:
        """The request's session, and the key of a new one that the answer must set."""
        session = self._sessions.find(read_cookie(headers))
        is_page = scope["method"] == "GET" and not scope["path"].startswith("/static/")
        if session is None and self._who is not None and is_page:
            key, session = self._sessions.begin(self._who)
            return session, key
        return session, ""

    def _refuse(self, scope: Scope, headers: Headers, session: Session | None) -> Response | None:
        if self._who is not None and _host_name(headers) not in LOOPBACK_NAMES:
            return PlainTextResponse("This host name is not served here. Open the address that the desk printed.", 421)
        path, method = scope["path"], scope["method"]
        is_change = method not in SAFE_METHODS
        if is_change and not _is_same_origin(headers):
            return JSONResponse({"error": "This request comes from another site."}, 403)
        if path.startswith(OPEN_PATHS):
            return None
        if session is None:
            return _ask_to_log_in(scope, headers)
        if is_change and not _has_token(headers, session):
            return JSONResponse({"error": "This page is out of date. Load it again, then repeat what you did."}, 403)
        return None


class _TooLargeError(Exception):
    """The body of a request is larger than allowed."""


class _Limited:
    """Receives a body up to the limit, whatever its declared length."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes = receive, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise _TooLargeError
        return message


class _Sender:
    """Sends an answer with the headers that all answers have."""

    def __init__(self, send: Send, scope: Scope, new_key: str) -> None:
        self._send, self._scope, self._new_key = send, scope, new_key

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if not self._scope["path"].startswith("/static/"):
                headers.setdefault("cache-control", "no-store")
            if self._new_key:
                headers.append("set-cookie", write_cookie(self._new_key, self._scope))
        await self._send(message)


def read_cookie(headers: Headers) -> str:
    """The session's key in a request; empty if there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def write_cookie(key: str, scope: MutableMapping[str, Any]) -> str:
    """The header that sets a session's key; an empty one removes it."""
    age = "" if key else "; Max-Age=0"
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{COOKIE}={key}; Path=/; HttpOnly; SameSite=Lax{age}{secure}"


def _host_name(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_same_origin(headers: Headers) -> bool:
    """Whether a browser sent this from a page of the desk; programs that are no browser send neither header."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _has_token(headers: Headers, session: Session) -> bool:
    return hmac.compare_digest(headers.get("x-csrf-token", "").encode(), session.csrf.encode())


def _ask_to_log_in(scope: Scope, headers: Headers) -> Response:
    if scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": "You are not logged in. Load the page again and log in."}, 401)
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="")
    return RedirectResponse(f"/login?next={wanted}", 303)

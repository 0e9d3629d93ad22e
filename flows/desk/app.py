"""Builds the review desk as a web application: pages, error pages and what guards them."""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from anomalylmm import __version__
from anomalylmm.errors import AnomalyLMMError, ArchiveError, ConfigurationError, StoreBusyError
from flows.desk.access import Session
from flows.desk.desk import Desk
from flows.desk.guard import Guard
from flows.desk.wording import FILTERS
from flows.runs.terminal import visible

FOLDER = Path(__file__).resolve().parent
NO_SUCH_PAGE = "There is no such page. The incident or result may have been erased, or replaced by a later sweep."
UNFORESEEN = "The desk failed unexpectedly. Its log, where it was started, says more."
STATUS_TEXTS = {404: NO_SUCH_PAGE, 405: "This address can't be used in this way."}


def create_app(desk: Desk) -> Guard:
    """Builds the application that serves a desk."""
    from flows.desk.routes import access, archive, incidents, moment, queries, search

    app = FastAPI(title="anomalylmm", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk = desk
    for module in (access, archive, incidents, moment, queries, search):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    for kind in (AnomalyLMMError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answer_error)
    return Guard(app, desk.sessions, None if desk.password_hash else desk.user)


async def _desk_of(request: Request) -> Any:
    return request.app.state.desk


async def _session_of(request: Request) -> Any:
    return request.state.session  # the guard lets no request pass without one


OwnDesk = Annotated[Desk, Depends(_desk_of)]
OwnSession = Annotated[Session, Depends(_session_of)]


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Renders a page."""
    session, has_password = getattr(request.state, "session", None), bool(request.app.state.desk.password_hash)
    shared = {"session": session, "has_password": has_password, "path": request.url.path}
    text = _templates().get_template(template).render(**shared, version=__version__, **values)
    return HTMLResponse(text.encode("utf-8", "replace"), status)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


async def _answer_error(request: Request, error: Exception) -> Response:
    """Answers with the error's own words: a page for people, JSON for scripts."""
    status, message = _describe(error)
    if "text/html" in request.headers.get("accept", ""):
        return page(request, "error.html", status=status, title="This did not work", message=message)
    return JSONResponse({"error": message}, status)


def _describe(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        detail = "" if error.detail in ("Not Found", "Method Not Allowed") else str(error.detail)
        return error.status_code, detail or STATUS_TEXTS.get(error.status_code, str(error.detail))
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        if first["loc"][0] == "path":
            return 404, NO_SUCH_PAGE
        place = json.dumps(first["loc"][-1])
        return 422, f"{place} can't be used: {first['msg']}."
    for kind, status in ((ConfigurationError, 400), (StoreBusyError, 409), (ArchiveError, 404)):
        if isinstance(error, kind):
            return status, visible(str(error))
    return (503, visible(str(error))) if isinstance(error, AnomalyLMMError) else (500, UNFORESEEN)

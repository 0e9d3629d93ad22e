"""Logging in and out."""

from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from flows.desk.access import check_password
from flows.desk.app import OwnDesk, page
from flows.desk.guard import read_cookie, write_cookie

MAX_NAME = 80
router = APIRouter()


@router.get("/login")
def show_login(request: Request, desk: OwnDesk, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Asks for name and password."""
    if not desk.password_hash:
        return RedirectResponse("/", 303)
    return page(request, "login.html", next=_local(next), message="", name="")


@router.post("/login")
async def log_in(request: Request, desk: OwnDesk) -> Response:
    """Checks the password, and begins a session under a new key."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    name, password, wanted = (fields.get(key, [""])[0] for key in ("name", "password", "next"))
    name, address = " ".join(name.split())[:MAX_NAME], request.client.host if request.client else ""
    if not desk.password_hash:
        raise HTTPException(404)
    if (wait := desk.limit.wait_seconds(address)) > 0:
        message = f"There were too many wrong passwords. Try again in {wait:.0f} s."
        answer = page(request, "login.html", status=429, next=_local(wanted), message=message, name=name)
        answer.headers["retry-after"] = str(int(wait) + 1)
        return answer
    is_right = await run_in_threadpool(check_password, password, desk.password_hash)
    if not is_right or not name:
        if not is_right:
            desk.limit.note_failure(address)
        message = "Enter your name: it is noted beside what you decide." if is_right else "The password is wrong."
        return page(request, "login.html", status=403, next=_local(wanted), message=message, name=name)
    desk.sessions.end(read_cookie(request.headers))  # a key from before the login is never used after it
    key, _ = desk.sessions.begin(name)
    return RedirectResponse(_local(wanted), 303, {"set-cookie": write_cookie(key, request.scope)})


@router.post("/logout")
def log_out(request: Request, desk: OwnDesk) -> Response:
    """Ends the session."""
    desk.sessions.end(read_cookie(request.headers))
    return JSONResponse({"next": "/login"}, headers={"set-cookie": write_cookie("", request.scope)})


def _local(path: str) -> str:
    """A path of this desk; anything else becomes its first page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if is_local else "/"

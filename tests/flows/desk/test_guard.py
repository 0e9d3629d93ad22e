"""Who gets in: hosts, passwords, sessions, tokens, and requests that try to get out of the store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from anomalylmm.errors import ConfigurationError
from flows.desk import access
from flows.desk.access import LoginLimit, Sessions, check_password, hash_password, read_hash, write_hash
from flows.desk.desk import Desk
from flows.desk.serving import DeskOptions, open_desk
from tests.flows.desk.browsing import PAGE, Browser, ids

PASSWORD = "correct horse battery"  # noqa: S105 - of the tests
FORM = {"content-type": "application/x-www-form-urlencoded", **PAGE}
HOSTILE_PATHS = [
    "/pictures/../../../../etc/passwd.jpg",
    "/pictures/..%2f..%2f..%2fetc%2fpasswd.jpg",
    "/pictures/%2e%2e%2f%2e%2e%2fhits%2fhits.duckdb.jpg",
    "/pictures/....//....//etc/passwd.jpg",
    "/pictures/a%00b.jpg",
    "/pictures/%ff%fe.jpg",
    "/clips/..%2f..%2fworking.duckdb.mp4",
    "/clips/%2fetc%2fpasswd.mp4",
    "/clips/' OR 1=1 --.mp4",
    "/crops/../1.jpg",
    "/crops/abc/-1.jpg",
    "/crops/abc/99999999999999999999.jpg",
    "/static/../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2f..%2fdesk.py",
    "/incidents/<script>alert(1)</script>",
    "/incidents/%27%3B%20drop%20table%20hits%3B%20--",
    "/incidents?after=x~y",
    "/incidents?after=2026-13-45~'%20OR%201=1",
    "/incidents?after=2026-03-14T99:99~x",
    "/incidents?first_hour=99",
    "/incidents?confidence=nan",
    "/incidents?since=%3Cscript%3E",
    "/incidents?state=%3Cscript%3E",
]


@pytest.fixture(scope="module", autouse=True)
def _cheap_hashing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "COST", 2**10)
        yield


@pytest.fixture
def guarded(desk: Desk) -> Iterator[Browser]:
    """A browser of a desk with a password, not logged in."""
    with Browser(replace(desk, password_hash=hash_password(PASSWORD), user=""), "https://desk.example") as browser:
        yield browser


def log_in(browser: Browser, password: str = PASSWORD, name: str = "bob", then: str = "/"):  # type: ignore[no-untyped-def]
    return browser.post("/login", content=f"name={name}&password={password}&next={then}", headers=FORM)


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_hostile_address_reads_nothing_and_runs_nothing(browser: Browser, path: str) -> None:
    browser.look("/incidents")
    answer = browser.get(path, headers=PAGE)
    assert answer.status_code in (404, 422), answer.text
    assert "<script>alert" not in answer.text
    assert b"root:" not in answer.content
    assert len(ids(browser.look("/incidents").text)) == 2


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1", "", "localhost:1@evil"])
def test_without_a_password_other_host_names_are_not_served(desk: Desk, host: str) -> None:
    with Browser(desk) as browser:
        assert browser.get("/incidents", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_another_site_can_not_decide(browser: Browser, headers: dict[str, str]) -> None:
    first = ids(browser.look("/incidents").text)[0]
    told = {"incidents": [first], "verdict": "reject"}
    answer = browser.post("/decisions", json=told, headers={"x-csrf-token": browser.token, **headers})
    assert answer.status_code == 403
    browser.token = "guessed"  # noqa: S105 - a wrong one
    assert browser.ask("/decisions", told).status_code == 403
    assert len(ids(browser.look("/incidents?state=new").text)) == 2


def test_every_answer_forbids_what_a_page_does_not_need(browser: Browser) -> None:
    for path in ("/incidents", "/static/desk.css", "/nothing", "/pictures/x.jpg"):
        headers = browser.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


def test_a_body_that_never_ends_is_refused(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.desk.guard.MAX_BODY_BYTES", 1000)
    browser.look("/incidents")
    pieces = (b" " * 600 for _ in range(3))
    answer = browser.post("/decisions", content=pieces, headers={"x-csrf-token": browser.token})
    assert answer.status_code in (400, 413)


def test_with_a_password_nothing_is_shown_before_the_login(guarded: Browser) -> None:
    assert guarded.get("/incidents", headers=PAGE).headers["location"] == "/login?next=%2Fincidents"
    assert guarded.get("/pictures/x.jpg").status_code == 401
    assert guarded.post("/decisions", json={}).status_code == 401
    assert log_in(guarded, "wrong").status_code == 403
    assert log_in(guarded, name="").status_code == 403
    answer = log_in(guarded, then="/incidents?state=new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?state=new")
    assert "Secure" in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    page = guarded.look("/incidents")
    assert "bob" in page.text
    assert guarded.ask("/logout").json() == {"next": "/login"}
    assert guarded.get("/incidents", headers=PAGE).status_code == 303


def test_a_session_key_from_before_the_login_is_worth_nothing(guarded: Browser) -> None:
    guarded.cookies.set("anomalylmm_desk", "planted", domain="desk.example")
    answer = log_in(guarded)
    assert "planted" not in answer.headers["set-cookie"]
    guarded.cookies.clear()
    guarded.cookies.set("anomalylmm_desk", "planted", domain="desk.example")
    assert guarded.get("/incidents", headers=PAGE).status_code == 303


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a%0ab"]
)
def test_a_login_leads_to_this_desk_only(guarded: Browser, then: str) -> None:
    assert log_in(guarded, then=then).headers["location"] == "/"


def test_too_many_wrong_passwords_have_to_wait(guarded: Browser) -> None:
    for _ in range(access.MAX_FAILURES):
        assert log_in(guarded, "wrong").status_code == 403
    answer = log_in(guarded)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 61


def test_the_wait_ends_and_sessions_do_too() -> None:
    now = [0.0]
    limit, sessions = LoginLimit(lambda: now[0]), Sessions(lambda: now[0])
    for _ in range(access.MAX_FAILURES):
        limit.note_failure("a")
    assert limit.wait_seconds("a") == access.FAILURE_SECONDS
    assert limit.wait_seconds("b") == 0
    key, session = sessions.begin("ann")
    now[0] = access.FAILURE_SECONDS + 1
    assert limit.wait_seconds("a") == 0
    assert sessions.find(key) is session
    now[0] += access.SESSION_SECONDS + 1
    assert sessions.find(key) is None


def test_other_computers_need_a_password(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "password"
    for host in ("0.0.0.0", "::", "192.168.1.5", "desk.example"):  # noqa: S104 - refused
        with (
            pytest.raises(ConfigurationError, match="--password-file"),
            open_desk(desk.composition, desk.layout, DeskOptions(host=host)),
        ):
            pass
    write_hash(file, hash_password(PASSWORD))
    assert file.stat().st_mode & 0o077 == 0
    with open_desk(desk.composition, desk.layout, DeskOptions(host="0.0.0.0", password_file=file)) as opened:  # noqa: S104
        assert check_password(PASSWORD, opened.password_hash)
        assert not check_password(f"{PASSWORD}x", opened.password_hash)


@pytest.mark.parametrize(
    "text", ["", "secret", "scrypt$1$8$1$AA==$AA==", "scrypt$99999999$8$1$AA==$AA==", "scrypt$x$8$1$a$b"]
)
def test_a_file_without_a_hash_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ConfigurationError, match="--set-password"):
        read_hash(tmp_path / "file")

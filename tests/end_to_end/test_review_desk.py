"""A whole shift at the review desk, in a browser: play, decide in bulk, undo, search, save, and the next sweep."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from flows.desk.app import create_app
from flows.desk.serving import DeskOptions, open_desk
from flows.index.indexing import index_archive
from flows.sweep.query_file import read_queries
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import compose, write_video

CHROMIUM = shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on this computer (Debian: chromium)")
COMPOSITION = compose(time_zone="Europe/Berlin")
QUERIES = '# mine\n[[query]]\nname = "walker"\ntext = "a person walking"\nfloor = -10\naccept = 0.2\n'
PAGES = ("/incidents", "/search", "/queries", "/queries/walker", "/archive", "/runs", "/nothing")
WAIT_MS = 60_000  # a test may run beside others


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shift")
    for number, name in enumerate(
        ("gate/2026-03-14/10", "gate/2026-03-14/11", "yard/2026-03-14/10", "yard/2026-03-14/11")
    ):
        blocks = [("red", 1, 3.5), ("green", 0, 4), ("blue", 0.5, 4)]
        write_video(folder / f"archive/{name}-00-00.mp4", blocks, seconds=4 + number / 2)  # no two are equal
    (folder / "queries.toml").write_text(QUERIES)
    layout = StoreLayout(folder / "store")
    index_archive(COMPOSITION, layout, folder / "archive")
    sweep_store(COMPOSITION, layout, folder / "queries.toml")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a desk that serves the store."""
    options = DeskOptions(archive=folder / "archive", queries_file=folder / "queries.toml")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        open_desk(COMPOSITION, StoreLayout(folder / "store"), options) as desk,
    ):
        server = uvicorn.Server(uvicorn.Config(create_app(desk), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page that fails the test for an error in a script and for a request that leaves the computer."""
    problems: list[str] = []
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(address) else problems.append(request.url))
    yield page
    context.close()
    assert problems == []


def test_a_shift(page: Page, folder: Path) -> None:
    expect.set_options(timeout=WAIT_MS)
    page.goto("/")
    _filter_and_play(page)
    _decide_in_bulk_and_undo(page)
    _look_at_the_threshold(page)
    _search_and_save(page)
    assert (folder / "queries.toml").read_text().startswith("# mine\n")
    assert [query.name for query in read_queries(folder / "queries.toml", COMPOSITION.lexicon)] == [
        "walker",
        "red-walker",
    ]
    _sweep_again(folder)
    page.goto("/incidents?query=red-walker")
    expect(page.locator(".card").first).to_be_visible()
    page.goto("/incidents?query=walker&state=rejected")
    expect(page.locator(".card")).to_have_count(4)


def test_several_words_become_one_mask_by_mouse_and_by_keys(page: Page) -> None:
    page.goto("/queries/walker")
    cloze, words = page.locator("#cloze"), page.locator("#sentence .word")
    expect(cloze).to_have_text("a person [MASK]")
    words.nth(2).click()
    expect(cloze).to_have_text("a person walking")
    words.nth(1).press("Enter")
    expect(cloze).to_have_text("a [MASK] walking")
    expect(words.nth(1)).to_be_focused()
    words.nth(2).click(modifiers=["Shift"])
    expect(cloze).to_have_text("a [MASK]")
    expect(page.locator("#mask-list b")).to_have_text(["person walking"])
    page.get_by_role("button", name="Mask “a” together with").press("Enter")
    expect(cloze).to_have_text("[MASK]")
    words.nth(0).press("Enter")
    expect(cloze).to_have_text("a person walking")
    words.nth(0).press("Enter")
    expect(cloze).to_have_text("[MASK] person walking")
    words.nth(2).press("Shift+Enter")
    expect(cloze).to_have_text("[MASK]")
    page.get_by_role("button", name="Masks by the lexicon").click()
    expect(cloze).to_have_text("a person [MASK]")


def _filter_and_play(page: Page) -> None:
    cards = page.locator(".card")
    expect(cards).to_have_count(4)
    page.locator("[name=camera][value=gate]").click()
    expect(cards).to_have_count(2)
    page.locator("[name=camera][value=gate]").click()
    expect(cards).to_have_count(4)

    page.keyboard.press("j")
    page.keyboard.press("Space")
    video = page.locator("#player video")
    expect(video).to_be_visible()
    _wait_until(lambda: video.evaluate("video => video.currentTime") > 0.3)
    page.keyboard.press("Escape")


def _decide_in_bulk_and_undo(page: Page) -> None:
    cards = page.locator(".card")
    for _ in range(3):
        page.keyboard.press("x")
        page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator(".card.rejected")).to_have_count(3)
    page.keyboard.press("z")
    expect(page.locator(".card.rejected")).to_have_count(0)
    page.keyboard.press("x")
    page.get_by_role("button", name="Select all shown").click()
    page.locator("#selection [data-verdict=reject]").click()
    expect(page.locator(".card.rejected")).to_have_count(4)
    cards.first.locator("[data-verdict=confirm]").click()
    expect(page.locator(".card.confirmed")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".card.rejected")).to_have_count(4)


def _look_at_the_threshold(page: Page) -> None:
    page.goto("/queries/walker")
    expect(page.get_by_text("raised from 0.20")).to_be_visible()
    before = page.locator("#would").text_content()
    page.locator("[name=accept]").fill("0.9")
    assert page.locator("#would").text_content() != before


def _search_and_save(page: Page) -> None:
    page.goto("/search")
    page.get_by_placeholder("A person in a red jacket").fill("a person in a red jacket walking")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("accepted of")).to_be_visible()
    page.get_by_role("button", name="Save as a query").click()
    page.get_by_label("Name").fill("red-walker")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as red-walker")).to_be_visible()


def _sweep_again(folder: Path) -> None:
    layout = StoreLayout(folder / "store")
    write_video(folder / "archive/gate/2026-03-14/12-00-00.mp4", [("red", 1, 3.5)], seconds=4)
    index_archive(COMPOSITION, layout, folder / "archive")
    sweep_store(COMPOSITION, layout, folder / "queries.toml")
    thresholds = run_sql(layout, "select threshold from thresholds where query_name = 'walker' order by created_utc")[1]
    assert thresholds[-1][0] > thresholds[0][0]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_has_a_serious_fault_for_people_who_can_not_see_or_use_a_mouse(
    chromium: Browser, address: str, width: int
) -> None:
    context = chromium.new_context(base_url=address, viewport={"width": width, "height": 844}, bypass_csp=True)
    page = context.new_page()
    page.goto("/incidents")
    moment = page.locator(".card .open").first.get_attribute("href") or ""
    for path in (*PAGES, moment):
        page.goto(path)
        found = Axe().run(page).response["violations"]
        assert [item["id"] for item in found if item["impact"] in ("serious", "critical")] == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert re.fullmatch(r"/incidents/\w+", moment)
    context.close()


def _wait_until(holds, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)

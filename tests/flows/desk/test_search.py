"""Searches and exports from the desk: progress, results, saving, pictures, and what is refused."""

import json
import zipfile
from io import BytesIO

import cv2
import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError
from flows.desk import jobs
from flows.desk.desk import Desk
from flows.desk.jobs import Jobs
from flows.sweep.query_file import read_queries
from storage.hits.inbox import read_waiting
from storage.hits.rows import SearchRecord
from storage.upkeep.erasure import erase_footage
from storage.upkeep.erasure_log import ErasureRule
from tests.flows.desk.browsing import Browser, ids

FORM = {"text": "a person in a red jacket walking", "judged": 5}


def wait(browser: Browser, job: str) -> dict[str, object]:
    """Listens until a job is over."""
    events = browser.get(f"/jobs/{job}/events").text.split("\n\n")
    return dict(json.loads([event for event in events if event.startswith("data: ")][-1].removeprefix("data: ")))


def png(side_px: int = 40) -> bytes:
    return cv2.imencode(".png", np.full((side_px, side_px, 3), (40, 40, 220), np.uint8))[1].tobytes()


def test_a_search_tells_its_progress_and_shows_results_that_play(browser: Browser, desk: Desk) -> None:
    browser.look("/search")
    started = browser.ask("/searches", FORM).json()
    assert wait(browser, started["id"])["state"] == "done"
    page = browser.look(started["address"]).text
    assert "accepted of" in page
    assert page.count('class="card result') == 2
    assert browser.get(f"{started['address']}/0.jpg").content.startswith(b"\xff\xd8")
    clip = browser.ask(f"/clips/result/{started['id']}/0").json()
    assert browser.get(clip["address"]).headers["content-type"] == "video/mp4"
    assert [(item.text, item.who) for item in read_waiting(desk.layout, SearchRecord)] == [(FORM["text"], "ann")]
    crop = page.partition("/search?like=")[2].partition('"')[0]
    again = browser.ask("/searches", {"like": crop}).json()
    assert wait(browser, again["id"])["state"] == "done"


def test_a_search_is_saved_as_a_query_and_the_comments_stay(browser: Browser, desk: Desk) -> None:
    browser.look("/search")
    saved = browser.ask("/queries", {"name": "blue-run", "text": "a person in a blue jacket running"})
    assert saved.json()["address"] == "/queries/blue-run"
    assert desk.queries_file is not None
    text = desk.queries_file.read_text()
    assert "# what the night looks for" in text
    assert "# the thief's" in text
    names = [query.name for query in read_queries(desk.queries_file, desk.composition.lexicon)]
    assert names == ["red", "green", "blue-run"]
    for wrong in ({"name": "red", "text": "other"}, {"name": "x", "text": "a person in a red jacket walking"}):
        assert browser.ask("/queries", wrong).status_code == 400
    assert desk.queries_file.read_text() == text


def test_a_reference_picture_is_drawn_anew_and_searched_with(browser: Browser, desk: Desk) -> None:
    browser.look("/search")
    headers = {"x-csrf-token": browser.token, "content-type": "application/octet-stream"}
    picture = browser.post("/uploads", content=png() + b"<script>", headers=headers).json()["id"]
    assert b"<script>" not in desk.uploads.find(picture).read_bytes()
    started = browser.ask("/searches", {"picture": picture}).json()
    assert wait(browser, started["id"])["state"] == "done"
    for hostile in (b"", b"MZ", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, b"GIF89a" + b"\xff" * 40, b"<svg/>", png(2)):
        assert browser.post("/uploads", content=hostile, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"text": ""}, 400),
        ({"text": "123"}, 400),
        ({"text": "x" * 1001}, 422),
        ({"text": "walking", "judged": -1}, 422),
        ({"like": "pyproject"}, 404),
        ({"like": "../../etc/passwd"}, 422),
        ({"picture": "0" * 32}, 400),
        ({"text": "walking", "since": "2026-03-02", "until": "2026-03-01"}, 400),
        ({"text": "walking", "until": "9999-12-31"}, 422),
    ],
)
def test_what_can_not_be_searched_for_is_refused_in_words(
    browser: Browser, form: dict[str, object], status: int
) -> None:
    browser.look("/search")
    answer = browser.ask("/searches", form)
    assert answer.status_code == status
    assert len(answer.json()["error"]) > 10


def test_an_export_blurs_and_can_be_saved(browser: Browser) -> None:
    incident = ids(browser.look("/incidents").text)[0]
    started = browser.ask("/exports", {"incident": incident}).json()
    assert wait(browser, started["id"])["state"] == "done"
    assert "The export is ready" in browser.look(started["address"]).text
    content = browser.get(f"{started['address']}/export.zip").content
    with zipfile.ZipFile(BytesIO(content)) as packed:
        name = next(name for name in packed.namelist() if name.endswith("manifest.json"))
        manifest = json.loads(packed.read(name))
    assert (manifest["blur"], manifest["made_for"], manifest["num_hits"]) == (True, "ann", 1)


def test_results_of_erased_footage_are_forgotten(browser: Browser, desk: Desk) -> None:
    browser.look("/search")
    started = browser.ask("/searches", FORM).json()
    wait(browser, started["id"])
    clip = browser.ask(f"/clips/result/{started['id']}/0").json()
    erase_footage(desk.layout, [ErasureRule(cameras=("gate",))])
    for path in (started["address"], f"{started['address']}/0.jpg", f"/jobs/{started['id']}/events"):
        assert browser.get(path).status_code == 404
    assert browser.get(clip["address"]).status_code == 404
    assert list(desk.clips.folder.glob("*.mp4")) == []


def test_an_error_in_a_job_is_told_and_the_next_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Jobs()

    def fail(_: object) -> None:
        raise RuntimeError("unforeseen")

    def refuse(_: object) -> None:
        raise ConfigurationError("too many <b>")

    found = [own.submit("search", "t", "ann", None, work) for work in (fail, refuse, lambda _: 7)]
    while not found[-1].is_over:
        pass
    assert [job.state for job in found] == ["failed", "failed", "done"]
    assert "failed unexpectedly" in found[0].message
    assert found[1].message == "too many <b>"
    monkeypatch.setattr(jobs, "MAX_WAITING", 0)
    with pytest.raises(ConfigurationError, match="waiting already"):
        own.submit("search", "t", "ann", None, fail)

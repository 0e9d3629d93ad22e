"""The pages of saved queries: masks, the curve of thresholds, changes of the file, and who may change it."""

import json
import re
from dataclasses import replace

import pytest

from flows.desk.desk import Desk
from flows.desk.queries import BINS, Curve, read_curve
from flows.sweep.query_file import read_queries
from tests.flows.desk.browsing import Browser, ids


def form_of(page: str, **changes: object) -> dict[str, object]:
    digest = page.partition('data-digest="')[2].partition('"')[0]
    usual = {"digest": digest, "accept": 0.5, "enabled": True, "calibrate": True, "cameras": [], "masks": None}
    return {**usual, **changes}


def test_the_list_shows_masks_and_counts_of_decisions(browser: Browser) -> None:
    incident = ids(browser.look("/incidents?query=red").text)[0]
    browser.ask("/decisions", {"incidents": [incident], "verdict": "reject"})
    page = browser.look("/queries").text
    row = page.partition('href="/queries/red"')[2].partition("</tr>")[0]
    assert '<mark class="color">red</mark>' in row
    assert re.findall(r"<td>(?:<a [^>]*>)?(\d+)", row) == ["0", "0", "1", "0"]


def test_the_curve_says_what_another_threshold_would_do(browser: Browser, desk: Desk) -> None:
    (query,) = [q for q in read_queries(desk.queries_file, desk.composition.lexicon) if q.name == "red"]  # type: ignore[arg-type]
    before = read_curve(desk.layout, desk.board, query)
    assert before.at(query.accept)["open"] == 1
    assert before.total == sum(before.at(0.0).values()) == 2
    incident = ids(browser.look("/incidents?query=red").text)[0]
    browser.ask("/decisions", {"incidents": [incident], "verdict": "confirm"})
    after = read_curve(desk.layout, desk.board, query).at(query.accept)
    assert (after["confirmed"], after["open"]) == (1, 0)
    counts = json.loads(
        browser.look("/queries/red").text.partition('data-counts="')[2].partition('"')[0].replace("&#34;", '"')
    )
    assert sum(counts["confirmed"]) == 1
    assert len(counts["below"]) == BINS + 1


def test_a_threshold_counts_what_is_at_it() -> None:
    numbers = tuple(int(place in {60, 61}) for place in range(BINS + 1))
    curve = Curve(counts={"confirmed": numbers, "rejected": (0,) * 101, "open": (0,) * 101, "below": (0,) * 101})
    assert [curve.at(threshold)["confirmed"] for threshold in (0.59, 0.6, 0.61, 0.62)] == [2, 2, 1, 0]


def test_a_change_is_written_with_the_comments_and_only_what_changed(browser: Browser, desk: Desk) -> None:
    assert desk.queries_file is not None
    before = desk.queries_file.read_text()
    desk.queries_file.chmod(0o640)
    page = browser.look("/queries/red").text
    answer = browser.ask("/queries/red", form_of(page, accept=0.8, daily=["22:00", "06:00"]))
    assert answer.json()["is_new_version"] == "yes"
    text = desk.queries_file.read_text()
    assert text.replace('accept = 0.8\ndaily = ["22:00", "06:00"]\n', "accept = 0.5\n") == before
    assert desk.queries_file.stat().st_mode & 0o777 == 0o640
    late = browser.ask("/queries/red", form_of(page, accept=0.9))
    assert late.status_code == 400
    assert "has changed since" in late.json()["error"]


def test_masks_are_tried_and_saved(browser: Browser, desk: Desk) -> None:
    page = browser.look("/queries/red").text
    masks = [{"word": "jacket", "kind": "garment", "means": "", "contrasts": []}]
    tried = browser.ask("/queries/red/masks", {"masks": masks}).json()
    assert tried["cloze"] == "a person in a red [MASK] walking"
    assert [word["usual_kind"] for word in tried["words"] if word["text"] in ("red", "walking")] == ["color", "action"]
    assert browser.ask("/queries/red/masks", {"masks": [{"word": "dog", "kind": "object"}]}).status_code == 400
    assert browser.ask("/queries/red", form_of(page, masks=masks)).json()["is_new_version"] == "yes"
    assert desk.queries_file is not None
    assert 'masks = [{word = "jacket", kind = "garment"}]' in desk.queries_file.read_text()
    page = browser.look("/queries/red").text
    assert "by a person" in page
    browser.ask("/queries/red", form_of(page))
    assert "masks" not in desk.queries_file.read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {"daily": ["25:00", "x"]},
        {"accept": 2},
        {"stop": "9999-12-31"},
        {"masks": [{"word": "dog", "kind": "object"}]},
    ],
)
def test_a_change_that_would_make_the_file_wrong_is_not_written(
    browser: Browser, desk: Desk, changes: dict[str, object]
) -> None:
    assert desk.queries_file is not None
    before = desk.queries_file.read_bytes()
    page = browser.look("/queries/red").text
    assert browser.ask("/queries/red", form_of(page, **changes)).status_code in (400, 422)
    assert desk.queries_file.read_bytes() == before


def test_the_shipped_queries_can_only_be_looked_at(desk: Desk) -> None:
    with Browser(replace(desk, queries_file=None)) as browser:
        assert "start the desk with --queries" in browser.look("/queries").text
        assert browser.look("/queries/fall").status_code == 200
        assert browser.ask("/queries", {"name": "x", "text": "a person walking"}).status_code == 400

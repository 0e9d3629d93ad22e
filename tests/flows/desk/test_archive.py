"""The pages of the archive and of runs: coverage by day, unreadable files, what the retention takes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.desk.desk import Desk
from storage.hits.runs import OpenRun, new_run
from storage.shards.quarantine import QuarantineEntry, read_quarantine, record_quarantine
from tests.fakes import compose
from tests.flows.desk.browsing import Browser

NOW = datetime(2026, 3, 15, tzinfo=UTC)


def test_the_calendar_shows_what_is_indexed_of_each_day(browser: Browser) -> None:
    for address in ("/archive", "/archive?month=2026-03"):
        page = browser.look(address).text
        assert "March 2026" in page
        assert 'aria-label="gate, 2026-03-14: 1 videos, 0.0 hours"' in page
    assert 'aria-label="gate, ' not in browser.look("/archive?month=2026-04").text
    assert browser.look("/archive?month=2026-13").status_code == 422


def test_an_unreadable_file_is_named_with_its_reason_and_can_be_tried_again(browser: Browser, desk: Desk) -> None:
    entry = QuarantineEntry(
        video_id="abc123",
        pipeline_digest="p1",
        path="gate/<b>.mp4",
        camera="gate",
        size_bytes=10,
        reason="no frame can be decoded",
        tries=3,
        first_utc=NOW,
        last_utc=NOW,
    )
    record_quarantine(desk.layout, entry)
    page = browser.look("/archive").text
    assert "gate/&lt;b&gt;.mp4" in page
    assert "no frame can be decoded" in page
    assert browser.ask("/archive/retry", {"video": "abc123"}).json() == {"cleared": 1}
    assert read_quarantine(desk.layout) == ()
    assert browser.ask("/archive/retry", {"video": "abc123"}).status_code == 404


@pytest.mark.parametrize(
    ("days", "said"), [(0, "Everything is kept"), (30, "<b>1</b> videos with 2 hits will be erased within")]
)
def test_the_retention_says_what_it_takes_next(desk: Desk, days: int, said: str) -> None:
    own = compose(time_zone="Europe/Berlin", retention={"days": days})
    with Browser(replace(desk, composition=own)) as browser:
        assert said in browser.look("/archive?retention=true").text


def test_runs_are_listed_with_their_figures(browser: Browser) -> None:
    page = browser.look("/runs").text
    assert page.index("<td>sweep") < page.index("<td>index")
    assert "Completed" in page
    assert "Prefect" not in page


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://prefect.example/runs/flow-run/1?a=1&b", 'href="https://prefect.example/runs/flow-run/1?a=1&amp;b"'),
        ("javascript:alert(1)", "by Prefect</span>"),
        ("", "by Prefect</span>"),
    ],
)
def test_a_run_made_by_prefect_has_a_link_to_its_page(browser: Browser, desk: Desk, address: str, shown: str) -> None:
    OpenRun(desk.layout, new_run("sweep", flow_run_id="0197", flow_run_url=address))
    page = browser.look("/runs").text
    assert shown in page
    assert "javascript:" not in page

"""The page of incidents: what it shows, how it filters, and what a decision does."""

from flows.desk.desk import Desk
from tests.flows.desk.browsing import Browser, ids


def test_the_page_shows_incidents_with_crops_and_the_cameras_time(browser: Browser) -> None:
    page = browser.look("/incidents")
    assert page.status_code == 200
    assert len(ids(page.text)) == 2
    assert "2026-03-14 10:00:0" in page.text
    assert "Europe/Berlin" in page.text
    picture = page.text.partition('<img src="')[2].partition('"')[0]
    assert browser.get(picture).content.startswith(b"\xff\xd8")


def test_filters_choose_and_are_counted(browser: Browser) -> None:
    page = browser.look("/incidents?query=red&state=new&since=2026-03-14&until=2026-03-14&first_hour=10&last_hour=10")
    assert len(ids(page.text)) == 1
    assert ">red<" in page.text
    for nothing in ("camera=other", "since=2026-03-15", "first_hour=11", "state=confirmed", "confidence=1"):
        assert "Nothing matches" in browser.look(f"/incidents?{nothing}").text


def test_pages_follow_each_other_without_a_gap(browser: Browser, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("flows.desk.routes.incidents.PAGE_SIZE", 1)
    for order in ("newest", "confident"):
        first = browser.look(f"/incidents?order={order}")
        link = first.text.partition('class="more"><a href="')[2].partition('"')[0].replace("&amp;", "&")
        second = browser.get(f"{link}&part=cards")
        assert {*ids(first.text), *ids(second.text)} == set(ids(browser.look("/incidents").text) + ids(second.text))
        assert len({*ids(first.text), *ids(second.text)}) == 2
        assert 'class="more"' not in second.text


def test_a_decision_counts_at_once_and_can_be_taken_back(browser: Browser, desk: Desk) -> None:
    (first, second) = ids(browser.look("/incidents").text)
    answer = browser.ask("/decisions", {"incidents": [first], "verdict": "confirm", "note": "yes"}).json()
    assert answer["incidents"][0]["state"] == "confirmed"
    assert answer["incidents"][0]["said"].startswith("ann, ")
    assert ids(browser.look("/incidents?state=confirmed").text) == [first]
    assert ids(browser.look("/incidents?state=new").text) == [second]
    assert browser.ask("/decisions/undo").json()["incidents"][0]["state"] == "new"
    said = desk.board.remarks([hit["hit_id"] for hit in desk.board.hits([first])])
    assert [row["verdict"] for row in said] == ["clear", "confirm"]
    assert browser.ask("/decisions/undo").status_code == 409

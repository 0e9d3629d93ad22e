"""The page of one incident: what it shows, its clip, and what happens when something is gone."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from flows.desk import clips
from flows.desk.clips import Clip, ClipShelf
from flows.desk.desk import Desk
from flows.desk.moments import read_evidence
from storage.upkeep.erasure import erase_footage
from storage.upkeep.erasure_log import ErasureRule
from tests.flows.desk.browsing import Browser, ids


def best_hit(desk: Desk, query: str = "red") -> str:
    (row,) = desk.board.select("SELECT best_hit_id FROM incidents WHERE query_name = ?", [query])
    return str(row["best_hit_id"])


def cut(desk: Desk, hit_id: str) -> Clip:
    evidence = read_evidence(desk.layout, hit_id)
    assert evidence is not None
    return desk.clips.cut(evidence)


def test_the_page_says_what_was_asked_and_seen_and_how_the_time_is_known(browser: Browser) -> None:
    (incident, _) = ids(browser.look("/incidents?query=red&query=green").text)
    page = browser.look(f"/incidents/{incident}").text
    for part in ("<mark", "walking", "from the time in the path", "gate/2026-03-14/10-00-00.mp4", "Europe/Berlin"):
        assert part in page
    picture = page.partition('src="/crops/')[2].partition('"')[0]
    for address in (f"/crops/{picture}", f"/crops/{picture}?mapped=true"):
        assert browser.get(address).content.startswith(b"\xff\xd8")


def test_a_clip_is_made_when_asked_for_and_can_be_sought_in(browser: Browser, desk: Desk, tmp_path: Path) -> None:
    browser.look("/incidents")
    hit = best_hit(desk)
    assert browser.get(f"/clips/{hit}.mp4").status_code == 404
    clip = browser.ask(f"/clips/{hit}").json()
    assert clip["start_seconds"] <= clip["wanted_seconds"] + 0.2
    assert len(clip["boxes"]) >= 2
    whole = browser.get(clip["address"])
    (tmp_path / "clip.mp4").write_bytes(whole.content)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) > 8
    part = browser.get(clip["address"], headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])


def test_a_video_that_can_not_be_copied_is_decoded_and_made_small(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalylmm.models.video.clips.copy_piece", lambda *_: None)
    monkeypatch.setattr(clips, "MAX_SECONDS", 1.0)
    clip = cut(desk, best_hit(desk))
    assert 0.5 <= clip.stop_seconds - clip.start_seconds <= 1.0


def test_the_longest_unused_clips_are_removed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_BYTES", 1)
    first, second = best_hit(desk), best_hit(desk, "green")
    for hit in (first, second):
        cut(desk, hit)
    assert desk.clips.hit_ids == [second]
    assert desk.clips.path(first) is None


def test_without_the_archive_pictures_stay_and_the_clip_says_why_not(desk: Desk, tmp_path: Path) -> None:
    missing = tmp_path / "not mounted"
    for archive, reason in ((None, "--archive"), (missing, "is not a folder")):
        shelf = ClipShelf(tmp_path, desk.layout, desk.composition.previews, archive, desk.composition.copies, 20.0)
        with Browser(replace(desk, clips=shelf, archive=archive)) as browser:
            browser.look("/incidents")
            hit = best_hit(desk)
            assert browser.get(f"/pictures/{hit}.jpg").status_code == 200
            answer = browser.ask(f"/clips/{hit}")
            assert answer.status_code == 404
            assert reason in answer.json()["error"]


def test_what_is_erased_while_it_is_open_is_gone_everywhere(browser: Browser, desk: Desk) -> None:
    (incident, _) = ids(browser.look("/incidents").text)
    hit = best_hit(desk)
    browser.ask(f"/clips/{hit}")
    erase_footage(desk.layout, [ErasureRule(cameras=("gate",))])
    assert "erased" in browser.look(f"/incidents/{incident}").text
    assert browser.look(f"/incidents/{incident}").status_code == 404
    assert browser.get(f"/clips/{hit}.mp4").status_code == 404
    assert browser.get(f"/pictures/{hit}.jpg").status_code == 404
    assert browser.ask(f"/clips/{hit}").status_code == 404
    assert browser.ask("/decisions", {"incidents": [incident], "verdict": "confirm"}).status_code == 400
    assert desk.clips.hit_ids == []

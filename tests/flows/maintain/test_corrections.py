"""Planning a correction, without a store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import Video
from flows.maintain.corrections import (
    Choice,
    Correction,
    IndexedVideo,
    parse_shift,
    plan_correction,
    suggest_corrections,
)
from flows.settings.model import Settings
from storage.shards.facts import Corrections, VideoFacts
from tests.storage.examples import NOON, make_video

FACTS = VideoFacts(camera="gate", start_utc=NOON, time_zone="UTC", clock_source="path_pattern")


def index(name: str, path: str, **changes: object) -> IndexedVideo:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]
    entry = replace(make_video(name), path=path, start_utc=facts.start_utc, clock_source=facts.clock_source)
    return IndexedVideo(entry=entry, facts=facts)


def see(name: str, path: str, camera: str, **changes: object) -> Video:
    video = Video(
        video_id=f"video-{name}",
        path=path,
        camera=camera,
        size_bytes=1,
        start_utc=NOON,
        clock_source="path_pattern",
        time_zone="UTC",
    )
    return replace(video, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("+1h", timedelta(hours=1)),
        ("1h", timedelta(hours=1)),
        ("-1h30m", -timedelta(hours=1, minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("-2d3h", -timedelta(days=2, hours=3)),
    ],
)
def test_a_shift_is_read(text: str, span: timedelta) -> None:
    assert parse_shift(text) == span


@pytest.mark.parametrize("text", ["", "+", "1", "1h-30m", "h", "1:30", "1.5h", "99999999999d"])
def test_what_is_no_shift_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\+1h|too long"):
        parse_shift(text)


def test_times_that_a_path_no_longer_gives_are_left() -> None:
    settings = Settings.model_validate({"cameras": [{"pattern": "{camera}/{year}{month}{day}"}]})
    known = [
        index("a", "yard/20260302.mp4"),
        index("b", "x/no-date.mp4"),
        index("c", "yard/no-date.mp4", clock_source="container"),
    ]
    plan = plan_correction(known, Corrections(), Choice(), Correction(settings=settings))
    changes = {change.video_id: change.new for change in plan.changes}
    assert plan.num_unread == 1
    assert changes["video-a"].start_utc == NOON + timedelta(days=1)
    assert (changes["video-c"].start_utc, changes["video-c"].camera) == (NOON, "yard")
    assert "video-b" not in changes


def test_a_camera_without_any_video_left_is_gone() -> None:
    known = [index("a", "gate/1.mp4"), index("b", "gate/2.mp4")]
    all_of_it = plan_correction(known, Corrections(), Choice(cameras=frozenset({"gate"})), Correction(camera="yard"))
    one_of_it = plan_correction(known, Corrections(), Choice(videos=("gate/1.*",)), Correction(camera="yard"))
    assert (all_of_it.cameras_gone, one_of_it.cameras_gone) == ({"gate"}, set())


def test_other_facts_by_the_settings_are_suggested_for_correction() -> None:
    known = [index("a", "gate/1.mp4"), index("b", "gate/2.mp4"), index("c", "gate/3.mp4")]
    present = [
        see("a", "gate/1.mp4", "entrance"),
        see("b", "gate/2.mp4", "gate", start_utc=NOON + timedelta(hours=1)),
        see("c", "gate/3.mp4", "gate"),
    ]
    (text,) = suggest_corrections(known, present)
    assert "2 indexed videos" in text
    assert "--from-settings" in text


def test_a_renamed_folder_is_suggested_to_be_the_same_camera() -> None:
    known = [index("a", "gate/1.mp4"), index("b", "gate/2.mp4")]
    moved = [see("a", "front door/1.mp4", "front door"), see("b", "front door/2.mp4", "front door")]
    (text,) = suggest_corrections(known, moved)
    assert "2 videos of camera 'front door' are indexed as camera 'gate'" in text
    assert "--camera gate --to 'front door'" in text


def test_a_second_copy_elsewhere_suggests_nothing() -> None:
    known = [index("a", "gate/1.mp4")]
    assert list(suggest_corrections(known, [see("a", "copy/1.mp4", "copy"), see("a", "gate/1.mp4", "gate")])) == []


def test_a_file_time_that_changed_suggests_nothing() -> None:
    known = [index("a", "gate/1.mp4", clock_source="file_time")]
    later = see("a", "gate/1.mp4", "gate", clock_source="file_time", start_utc=NOON + timedelta(days=1))
    assert list(suggest_corrections(known, [later])) == []

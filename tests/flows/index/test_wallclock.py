"""The clock of a video: path, container and file time compared."""

from datetime import UTC, datetime, timedelta

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import Video
from flows.clocks.patterns import compile_pattern
from flows.index.wallclock import Clock, build_patterns, clock_of, describe_doubts, describe_paths, mark_same_times
from flows.settings.sections import CameraSettings

BERLIN = build_patterns((), "Europe/Berlin")
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def find(
    path: str = "gate/clip.mp4", container: datetime | None = None, end: datetime = NOON, seconds: float = 0.0
) -> Clock:
    return clock_of(
        path,
        BERLIN,
        container_utc=container,
        modified=end.timestamp(),
        time_zone="Europe/Berlin",
        duration_seconds=seconds,
    )


def test_a_time_in_the_path_comes_before_all_others() -> None:
    clock = find("gate/2026-03-14/11-05-09.mp4", container=NOON)
    assert (clock.camera, clock.source, clock.doubts) == ("gate", "path_pattern", ())
    assert clock.start_utc == datetime(2026, 3, 14, 10, 5, 9, tzinfo=UTC)


def test_a_start_after_the_file_was_changed_is_doubted() -> None:
    assert find("gate/2026-03-14/21-05-09.mp4").doubts == ("after_file_time",)


def test_a_container_with_the_local_time_of_nepal_is_corrected() -> None:
    clock = clock_of(
        "gate/clip.mp4",
        build_patterns((), "Asia/Kathmandu"),
        container_utc=NOON + timedelta(hours=5, minutes=45),
        modified=(NOON + timedelta(seconds=90)).timestamp(),
        time_zone="Asia/Kathmandu",
        duration_seconds=90.0,
    )
    assert (clock.start_utc, clock.source, clock.doubts) == (NOON, "container", ("container_zone",))


def test_a_container_of_an_unset_clock_is_marked_and_the_files_time_counts() -> None:
    clock = find(container=datetime(2000, 1, 1, 0, 0, 15, tzinfo=UTC), seconds=60.0)
    assert (clock.start_utc, clock.source) == (NOON - timedelta(seconds=60), "file_end")
    assert clock.doubts == ("file_time", "clock_not_set")


def test_cameras_that_differ_only_in_capital_letters_are_named() -> None:
    reader = BERLIN.survey({"Gate/2026-03-14/10-15-00.mp4": 0.0, "gate/2026-03-14/11-15-00.mp4": 0.0})
    assert "'Gate' and 'gate'" in " ".join(describe_paths(reader, tuple(reader.known)))


def test_without_a_container_the_files_time_counts() -> None:
    clock = find("clip.mp4")
    assert (clock.camera, clock.source, clock.start_utc) == ("default", "file_time", NOON)
    assert clock.doubts == ("file_time",)


def test_the_files_time_is_the_end_of_the_recording() -> None:
    clock = find(seconds=600)
    assert (clock.source, clock.start_utc) == ("file_end", NOON - timedelta(minutes=10))
    assert clock.doubts == ("file_time",)


@pytest.mark.parametrize(
    ("container", "source", "start", "doubts"),
    [
        (NOON - timedelta(minutes=10), "container", NOON - timedelta(minutes=10), ()),
        (NOON, "container_end", NOON - timedelta(minutes=10), ("container_end",)),
        (NOON + HOUR - timedelta(minutes=10), "container", NOON - timedelta(minutes=10), ("container_zone",)),
        (NOON + HOUR, "container_end", NOON - timedelta(minutes=10), ("container_end", "container_zone")),
        (NOON - timedelta(days=3), "container", NOON - timedelta(days=3), ()),  # the file was copied since
        (NOON + timedelta(days=3), "container", NOON + timedelta(days=3), ("after_file_time",)),
    ],
)
def test_a_containers_time_is_compared_with_the_files(
    container: datetime, source: str, start: datetime, doubts: tuple[str, ...]
) -> None:
    clock = find(container=container, seconds=600)
    assert (clock.source, clock.start_utc, clock.doubts) == (source, start, doubts)


def test_a_day_in_the_path_takes_its_time_from_a_container_or_file_of_that_day() -> None:
    clock = find("gate/2026-03-14.mp4", container=NOON - HOUR)
    assert (clock.source, clock.start_utc, clock.doubts) == ("container", NOON - HOUR, ())
    clock = find("gate/2026-03-14.mp4", seconds=60)
    assert (clock.source, clock.start_utc, clock.doubts) == ("file_end", NOON - timedelta(minutes=1), ())
    clock = find("gate/2026-03-13.mp4", seconds=60)
    assert (clock.source, clock.doubts) == ("path_date", ("date_only",))
    assert clock.start_utc == datetime(2026, 3, 13, 11, tzinfo=UTC)


def test_a_container_chooses_between_two_equal_times() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    clock = find("gate/2026-10-25/02-30-00.mp4", container=second, end=second + timedelta(days=9))
    assert (clock.source, clock.start_utc, clock.doubts) == ("path_pattern", second, ())


def test_a_users_pattern_has_its_own_time_zone_and_comes_first() -> None:
    item = CameraSettings(pattern="{camera}-{any}/{year}{month}{day}T{hour}{minute}", time_zone="Asia/Tokyo")
    reader = build_patterns((item,), "UTC")
    for path, camera, hour, zone in (
        ("door-rec7/20260314T0900.mp4", "door", 0, "Asia/Tokyo"),
        ("gate/20260314_090000.mp4", "gate", 9, "UTC"),  # by the built-in rules
    ):
        clock = clock_of(path, reader, container_utc=None, modified=NOON.timestamp(), time_zone="UTC")
        assert (clock.camera, clock.time_zone) == (camera, zone)
        assert clock.start_utc == datetime(2026, 3, 14, hour, 0, tzinfo=UTC)


def test_a_pattern_without_a_zone_has_the_archives() -> None:
    reader = build_patterns((CameraSettings(pattern="{camera}~{year}{month}{day}{hour}"),), "Asia/Tokyo")
    assert reader.read("gate~2026031409.mp4", 0.0).time_zone == "Asia/Tokyo"


def test_a_pattern_without_a_date_gives_the_camera_and_the_zone() -> None:
    reader = build_patterns((CameraSettings(pattern="disk1/{camera}~{any}", time_zone="Asia/Tokyo"),), "UTC")
    clock = reader.read("disk1/gate~x/20260314_090000.mp4", 0.0)
    assert (clock.camera, clock.time_zone) == ("gate", "Asia/Tokyo")
    assert clock.start_utc == datetime(2026, 3, 14, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "zone", "named"), [("{kamera}", "UTC", "kamera"), ("{camera}", "Mars/X", "Mars/X")]
)
def test_a_wrong_pattern_or_zone_is_named(pattern: str, zone: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        compile_pattern(pattern, zone)


def test_a_pattern_that_would_take_hours_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at most 4"):
        compile_pattern("{any}" * 5 + "{camera}", "UTC")


def make_video(name: str, minute: int, doubt: str = "") -> Video:
    return Video(
        video_id=name,
        path=f"gate/{name}.mp4",
        camera="gate",
        size_bytes=1,
        start_utc=NOON + timedelta(minutes=minute),
        clock_source="path_pattern",
        time_zone="UTC",
        clock_doubt=doubt,
    )


def test_two_videos_of_one_moment_are_marked_and_counted() -> None:
    videos = mark_same_times([make_video("a", 0), make_video("b", 0, "date_only"), make_video("c", 1)])
    assert [video.clock_doubt for video in videos] == ["same_time", "date_only same_time", ""]
    notes = describe_doubts(videos)
    assert len(notes) == 2
    assert notes[0].startswith("1 of 3 new videos have a date but no time of day")

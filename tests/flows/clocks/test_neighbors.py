"""What the paths of an archive tell together."""

from collections.abc import Iterable
from datetime import UTC, datetime

from flows.clocks.neighbors import NamedClock, read_paths


def read(paths: Iterable[str], modified: float = 0.0) -> dict[str, NamedClock]:
    return read_paths(dict.fromkeys(paths, modified), (), "Europe/Berlin")


def starts(paths: Iterable[str]) -> list[str]:
    return [f"{clock.start_utc:%H:%M}" for clock in read(paths).values()]


def test_day_and_month_are_told_by_a_neighbor_of_the_same_camera() -> None:
    found = read(["gate_04-03-2026_10-15-00.mp4", "gate_14-03-2026_10-15-00.mp4"])
    assert {f"{clock.start_utc:%m-%d}" for clock in found.values()} == {"03-04", "03-14"}
    assert all(not clock.doubts for clock in found.values())
    found = read(["gate_04-03-2026_10-15-00.mp4", "gate_03-14-2026_10-15-00.mp4"])
    assert {f"{clock.start_utc:%m-%d}" for clock in found.values()} == {"04-03", "03-14"}


def test_day_and_month_are_told_by_the_files_time() -> None:
    name = "gate_04-03-2026_10-15-00.mp4"
    april = datetime(2026, 4, 3, 8, 16, tzinfo=UTC).timestamp()
    assert read([name], april)[name].start_utc == datetime(2026, 4, 3, 8, 15, tzinfo=UTC)
    assert read([name], april)[name].doubts == ()


def test_day_and_month_are_doubtful_otherwise() -> None:
    name = "gate_04-03-2026_10-15-00.mp4"
    assert read([name])[name].doubts == ("day_or_month",)
    assert read([name])[name].start_utc == datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
    american = "Gate 4-3-2026, 10.15.00am.mp4"
    assert read([american])[american].start_utc == datetime(2026, 4, 3, 8, 15, tzinfo=UTC)


def test_two_files_of_one_time_are_both_passes_of_the_repeated_hour() -> None:
    found = read(["gate/2026-10-25/02-30-00.mp4", "gate/2026-10-25/02-30-00_1.mp4"])
    assert [clock.start_utc for clock in found.values()] == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    ]
    assert not any(clock.doubts for clock in found.values())


def test_the_repeated_hour_is_told_by_the_files_time() -> None:
    name = "gate/2026-10-25/02-30-00.mp4"
    for hour in (0, 1):
        end = datetime(2026, 10, 25, hour, 35, tzinfo=UTC).timestamp()
        assert read([name], end)[name].start_utc == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert read([name], end)[name].doubts == ()


def test_the_repeated_hour_is_told_by_a_recorder_that_cuts_at_equal_distances() -> None:
    names = [f"gate/2026-10-25/{name}.mp4" for name in ("01-35-00", "01-50-00", "02-05-00", "02-20-00")]
    assert starts(names) == ["23:35", "23:50", "00:05", "00:20"]
    names = [f"gate/2026-10-25/{name}.mp4" for name in ("02-35-00", "02-50-00", "03-05-00", "03-20-00")]
    assert starts(names) == ["01:35", "01:50", "02:05", "02:20"]


def test_the_repeated_hour_is_told_by_the_end_in_the_name() -> None:
    for name, utc in (
        ("02-50-00-03-00-00", "01:50"),  # it ended after the second pass
        ("02-50-00-02-05-00", "00:50"),  # the clock was put back before it ended
        ("20261025025000_20261025030000", "01:50"),
    ):
        path = f"gate/2026-10-25/{name}.mp4"
        assert f"{read([path])[path].start_utc:%H:%M}" == utc
        assert read([path])[path].doubts == ()
    path = "gate/2026-10-25/02-40-00-02-50-00.mp4"
    assert read([path])[path].doubts == ("repeated_hour",)


def test_the_repeated_hour_is_doubtful_otherwise() -> None:
    name = "gate/2026-10-25/02-30-00.mp4"
    clock = read([name])[name]
    assert clock.doubts == ("repeated_hour",)
    assert (clock.start_utc, clock.other_utc) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )


def test_a_time_that_does_not_exist_is_marked_and_collides_with_no_other() -> None:
    found = read([f"gate/2026-03-29/{name}.mp4" for name in ("01-30-00", "02-00-00", "02-30-00", "03-00-00")])
    assert [f"{clock.start_utc:%H:%M}" for clock in found.values()] == ["00:30", "01:00", "01:30", "02:00"]
    assert [clock.doubts for clock in found.values()] == [(), *[("missing_hour",)] * 3]


def test_a_clock_that_is_put_forward_is_not_doubted() -> None:
    found = read([f"gate/2026-03-29/{name}.mp4" for name in ("01-30-00", "03-00-00")])
    assert [f"{clock.start_utc:%H:%M}" for clock in found.values()] == ["00:30", "01:00"]
    assert not any(clock.doubts for clock in found.values())


def test_no_two_videos_of_one_day_begin_at_one_moment() -> None:
    found = read(["gate/2026-03-14/a.mp4", "gate/2026-03-14/b.mp4", "gate/2026-03-14/c.mp4"])
    assert len({clock.start_utc for clock in found.values()}) == 3


def test_one_folder_of_many_cameras_is_divided_by_the_names_of_its_files() -> None:
    found = read(["shop/front_20260314_101500.mp4", "shop/back_20260314_101500.mp4", "gate/a_20260314_101500.mp4"])
    assert [clock.camera for clock in found.values()] == ["front", "back", "gate"]
    found = read(["nvr9/ch01_20260314_101500.mp4", "nvr9/ch02_20260314_101500.mp4"])
    assert [clock.camera for clock in found.values()] == ["ch01", "ch02"]


def test_two_cameras_of_one_name_are_told_apart_by_their_folders() -> None:
    found = read(["north/gate/2026-03-14/10-15-00.mp4", "south/gate/2026-03-14/10-15-00.mp4"])
    assert sorted(clock.camera for clock in found.values()) == ["north-gate", "south-gate"]
    found = read(["recordings/gate/2026-03-14/10-15-00.mp4", "archive/gate/2026-03-14/11-15-00.mp4"])
    assert {clock.camera for clock in found.values()} == {"gate"}


def cameras(*paths: str) -> list[str]:
    return [clock.camera for clock in read(paths).values()]


def test_front_and_rear_of_a_dashboard_camera_are_two_cameras() -> None:
    assert cameras("van/2026_0314_101500_0001F.MP4", "van/2026_0314_101500_0002R.MP4") == ["van-front", "van-rear"]
    assert cameras("20260314_101500_NF.mp4", "20260314_101500_NR.mp4") == ["front", "rear"]
    assert cameras("NO20260314-101500-000012F.MP4", "EV20260314-101600-000013B.MP4") == ["front", "rear"]
    assert cameras("van/20260314_101500_F.mp4") == ["van"]
    assert cameras("van/20260314_101500_F.mp4", "van/20260314_101600_B.mp4", "van/20260314_101700.mp4") == ["van"] * 3


def test_a_folder_of_the_hour_is_no_camera_but_a_folder_of_a_channel_is() -> None:
    assert cameras("20260314/09/20260314_091500_00.avi", "20260314/10/20260314_101500_00.avi") == ["default"] * 2
    assert cameras("20260314/09/20260314_091500.avi", "20260314/10/20260314_091500.avi") == ["09", "10"]


def test_folders_named_like_an_apps_files_stay_cameras() -> None:
    assert cameras("cams/NO/20260314_101500.mp4", "cams/PA/20260314_101500.mp4") == ["NO", "PA"]
    assert cameras("cams/101ROOM1/20260314_101500.mp4", "cams/102ROOM2/20260314_101500.mp4") == ["101ROOM1", "102ROOM2"]
    assert cameras("cams/Fly/20260314_101500.mp4", "cams/WIN/20260314_101500.mp4") == ["Fly", "WIN"]


def test_summer_time_in_the_name_makes_no_second_camera() -> None:
    found = cameras("Rec/RecM02_20260314_101500_1_A.mp4", "Rec/RecM02_DST20260714_101500_1_B.mp4")
    assert found == ["Rec", "Rec"]


def test_letters_written_in_two_ways_are_one_camera() -> None:
    assert len(set(cameras("Haust\u00fcr/2026-03-14/10-15-00.mp4", "Haustu\u0308r/2026-03-14/11-15-00.mp4"))) == 1


def test_a_lonely_january_first_is_marked_because_clocks_begin_there() -> None:
    found = read(["gate/20120101_000015.mp4", "gate/20260314_101500.mp4", "gate/20260315_101500.mp4"])
    assert [clock.doubts for clock in found.values()] == [("clock_reset",), (), ()]
    found = read(["gate/20251231_235500.mp4", "gate/20260101_000015.mp4", "yard/20260101_000015.mp4"])
    assert not any(clock.doubts for clock in found.values())


def test_a_short_year_in_a_folder_is_first_unless_the_files_time_says_otherwise() -> None:
    name = "gate/14-03-26/10-15-00.mp4"
    assert read([name])[name].start_utc == datetime(2014, 3, 26, 9, 15, tzinfo=UTC)
    assert read([name])[name].doubts == ("short_year",)
    recent = datetime(2026, 3, 14, 9, 16, tzinfo=UTC).timestamp()
    assert read([name], recent)[name].start_utc == datetime(2026, 3, 14, 9, 15, tzinfo=UTC)
    assert read([name], recent)[name].doubts == ("short_year",)

"""Camera, date and time from the names that recorders and phones give."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.clocks.neighbors import NamedClock, names_place, read_paths


def read(path: str, time_zone: str = "Europe/Berlin") -> NamedClock:
    return read_paths({path: 0.0}, (), time_zone)[path]


MORNING = "2026-03-14 09:15:00"  # 10:15 in Berlin


@pytest.mark.parametrize(
    ("path", "camera", "utc"),
    [
        ("2026-03-14/10/front_door/06.56.mp4", "front_door", "2026-03-14 10:06:56"),  # Frigate writes UTC
        ("frigate/recordings/2026-03-14/10/front_door/06.56.mp4", "front_door", "2026-03-14 10:06:56"),
        ("2026-03/14/10/front_door/06.56.mp4", "front_door", "2026-03-14 10:06:56"),
        ("front_door-1773479700.123456-abc123.mp4", "front_door", MORNING),
        ("front_door.20260314_101500.mp4", "front_door", MORNING),  # Blue Iris
        ("RLC-810A_00_20260314101500.mp4", "RLC-810A", MORNING),  # Reolink
        ("ch01_20260314101500.mp4", "ch01", MORNING),  # Hikvision
        ("192.168.1.64_01_20260314101500123.mp4", "192.168.1.64_01", "2026-03-14 09:15:00.123000"),
        ("2026-03-14/001/dav/10/10.15.00-10.16.00[R][0@0][0].dav", "001", MORNING),  # Dahua
        ("front/2026-03-14/001/dav/10/10.15.00-10.16.00[R][0@0][0].dav", "front", MORNING),
        ("Front Door 3-14-2026, 10.15.00am.mp4", "Front Door", MORNING),  # UniFi Protect
        ("Front Door 3-14-2026, 10.15.00pm GMT-5.mp4", "Front Door", "2026-03-15 03:15:00"),
        ("Front Door-20260314-101500-1773479700.mp4", "Front Door", MORNING),  # Synology
        ("1/26/03/14/10/15/00/event.mp4", "1", MORNING),  # ZoneMinder
        ("KEY/gate/2026-03-14T10-15-00.mp4", "gate", MORNING),  # Shinobi
        ("gate/01-20260314101500.mkv", "gate", MORNING),  # motion
        ("Camera1/2026-03-14/10-15-00.mp4", "Camera1", MORNING),  # motionEye
        (
            "20260314_101400_CAFE_ACCC8E123456/20260314_10/20260314_101500_1234.mkv",
            "ACCC8E123456",
            MORNING,
        ),  # Axis
        ("gate/20260314/10/15.mp4", "gate", MORNING),  # Wyze
        ("xiaomi_camera_videos/607ea442a0c4/2026031410/15M00S_1773479700.mp4", "607ea442a0c4", MORNING),
        ("xiaomi_camera_videos/607ea442a0c4/2026031410/15M00S.mp4", "607ea442a0c4", MORNING),
        ("20260314_101500_tp00001.mp4", "default", MORNING),  # Tapo
        ("T8410P1234567890/20260314101500.mp4", "T8410P1234567890", MORNING),  # Eufy
        ("VID_20260314_101500.mp4", "default", MORNING),  # Android
        ("PXL_20260314_091500123.mp4", "default", "2026-03-14 09:15:00.123000"),  # Pixel writes UTC
        ("gate/14-03-2026/10-15-00.mp4", "gate", MORNING),
        ("gate/14.03.2026 10.15.mp4", "gate", MORNING),
        ("gate/10-15-00_14-03-2026.mp4", "gate", MORNING),
        ("gate_14032026_101500.mp4", "gate", MORNING),
        ("gate_03142026_101500.mp4", "gate", MORNING),
        ("gate/2026/03/14/10/15/00.mp4", "gate", MORNING),
        ("gate/2026/3/14/10-15-00.mp4", "gate", MORNING),
        ("gate/14/03/2026/10-15-00.mp4", "gate", MORNING),
        ("2026/03/14/gate/10-15-00.mp4", "gate", MORNING),
        ("gate/1773479700.mp4", "gate", MORNING),
        ("gate/1773479700123.mp4", "gate", "2026-03-14 09:15:00.123000"),
        ("gate/2026-03-14T09-15-00Z.mp4", "gate", MORNING),
        ("gate/2026-03-14T09:15:00.000Z.mp4", "gate", MORNING),
        ("gate/2026-03-14T10.15.00.500+0100.mp4", "gate", "2026-03-14 09:15:00.500000"),
        ("gate/2026-03-14T09:15:00+00:00.mp4", "gate", MORNING),
        ("gate/2026-03-14T041500-0500.mp4", "gate", MORNING),
        ("gate 14 Mar 2026 10-15-00.mp4", "gate", MORNING),
        ("gate/20260314101500_20260314101600.mp4", "gate", MORNING),
        ("gate/20260314_101500-20260314_101600.mp4", "gate", MORNING),
        ("gate/2026-03-14/20260314_101500.mp4", "gate", MORNING),
        ("20260314_101500_front_door.mp4", "front_door", MORNING),
        ("ftp/front_20260314_101500.mp4", "front", MORNING),
        ("Haustür_2026-03-14_10-15-00.mp4", "Haustür", MORNING),
        ("gate_2026年03月14日10时15分00秒.mp4", "gate", MORNING),
        ("Front Door/20260314AM/Front Door-20260314-101500-1773479700.mp4", "Front Door", MORNING),
        ("Camera1/2026/03/14/Camera1_00_20260314101500.mp4", "Camera1", MORNING),  # Reolink, by FTP
        ("Ring_FrontDoor_202603141015.mp4", "Ring_FrontDoor", MORNING),
        ("2026-03-14T10-15-00_FrontDoor.mp4", "FrontDoor", MORNING),
        ("TeslaCam/2026-03-14_10-16-00/2026-03-14_10-15-00-front.mp4", "TeslaCam", MORNING),
        ("MDalarm_20260314_101500.mkv", "default", MORNING),  # Foscam
        ("1_2026-03-14_10-15-00.mp4", "1", MORNING),  # iSpy
        ("ch1_20260314101500_20260314101600.mp4", "ch1", MORNING),
        ("gate_00/2026-03-14/10-15-00.mp4", "gate_00", MORNING),
        ("cam_20260314_101500.mp4", "cam", MORNING),
        ("gate/motion/2026-03-14/10-15-00 AM.mp4", "gate", MORNING),
        ("gate/2026-03-14 10-15-00 PM.mp4", "gate", "2026-03-14 21:15:00"),
        ("gate/2026-03-14 12-15-00 AM.mp4", "gate", "2026-03-13 23:15:00"),
        ("gate/Screen Recording 2026-03-14 at 10.15.00\u202fPM.mov", "gate", "2026-03-14 21:15:00"),  # macOS
        ("gate/2026-03-14 10.15.00 p.m..mp4", "gate", "2026-03-14 21:15:00"),
        ("GMT20260314-091500_Recording_1920x1080.mp4", "default", MORNING),  # Zoom
        ("blink/26-03-14/10-15-00_Front Door_12.mp4", "Front Door", MORNING),  # Blink, on a USB stick
        ("gate/2026_0314_101500_000123.MP4", "gate", MORNING),  # Viofo and other dashboard cameras
        ("yard/2026Y03M14D10H/15M00S.mp4", "yard", MORNING),  # yi-hack
        ("2026-03-14/192.168.1.13_1_S10-15-00E10-16-00.ts", "192.168.1.13_1_S", MORNING),  # Uniview
        ("20260314-101500-102000_192.168.1.11-CH2.avi", "192.168.1.11-CH2", MORNING),  # Brickcom
        ("gate/20260314101500-101502-M00_507.mov", "gate", MORNING),  # Canon
        ("hi_quality/00-1c-a6-12-34-56/2026/03/14/10/1773479700000_60000.mkv", "00-1c-a6-12-34-56", MORNING),  # Nx
        ("00000_00000020260314101500_0001A.MP4", "default", MORNING),  # body-worn cameras
        ("gate/RecM02_DST20260314_101500_101545_2A1F808_12AB34.mp4", "gate", MORNING),  # Reolink, on its card
        ("[M]_CH01_2026-03-14_10-15-00.mp4", "CH01", MORNING),
        ("eufy/T8410P1234567890/20260314101500.mp4", "T8410P1234567890", MORNING),
        ("gate/20260314/10/20260314_101500_00.avi", "gate", MORNING),
        ("玄関/2026年3月14日/10時15分00秒.mp4", "玄関", MORNING),
        ("DJI_20260314101500_0001_D.MP4", "default", MORNING),
        ("NO20260314-101500-000012.MP4", "default", MORNING),  # 70mai
        ("gate \n/2026-03-14/10-15-00.mp4", "gate", MORNING),
        ("20260314-10h15m00s-Front Door.mp4", "Front Door", MORNING),
        ("porch-2026-03-14-10h15m00s.mp4", "porch", MORNING),
        ("Stored/yard.20260314_101500.1234.3-1.mp4", "yard", MORNING),  # Blue Iris
        ("Front/2026-03-14 10-15-00s.mp4", "Front", MORNING),
    ],
)
def test_a_recorders_name_gives_camera_and_start(path: str, camera: str, utc: str) -> None:
    clock = read(path)
    assert (clock.camera, clock.start_utc) == (camera, datetime.fromisoformat(utc).replace(tzinfo=UTC))
    assert clock.span.total_seconds() == 0
    assert set(clock.doubts) <= {"short_year"}


def test_the_folder_of_a_recorders_disk_names_no_place() -> None:
    clock = read("datadir0/hiv00001.mp4")  # Hikvision; each file holds several cameras in turn
    assert (names_place(clock.camera), clock.start_utc) == (False, None)


@pytest.mark.parametrize(
    "path",
    [
        "gate/2026-03-14.mp4",
        "gate/2026-03-14/clip 7.mp4",
        "gate/2026-03-14/01.mp4",  # the first of the day, not one o'clock
        "gate/20260314_0001.mp4",
        "gate/VID-20260314-WA0001.mp4",
        "gate/2026-03-14/12345/12345-video.mp4",
        "gate/2026-03-14/123456/123456-video.mp4",  # the number of an event
    ],
)
def test_a_date_without_a_time_is_a_day_and_not_midnight(path: str) -> None:
    clock = read(path)
    assert (clock.camera, clock.doubts) == ("gate", ("date_only",))
    assert clock.start_utc == datetime(2026, 3, 14, 11, tzinfo=UTC)
    assert clock.span.days == 1


@pytest.mark.parametrize(
    "name",
    [
        "clip",
        "12345678",
        "20261402_101500",
        "ch01_00000000012000000",
        "IMG_1234",
        "GX010123",
        "1080p",
        "DS-2CD2142",
        "2026",
        "000123-45",
        "00000000020261402101500",
        "2026_0314_12",
        "26-03-14",
        "99999999999999",
    ],
)
def test_numbers_that_are_no_dates_give_no_time(name: str) -> None:
    clock = read(f"gate/{name}.mp4")
    assert (clock.camera, clock.start_utc, clock.doubts) == ("gate", None, ())


def test_an_impossible_date_and_an_unset_clock_are_named_and_give_no_time() -> None:
    impossible = read("gate/2026-02-31/12-00-00.mp4")
    assert (impossible.camera, impossible.start_utc, impossible.doubts) == ("gate", None, ("impossible_date",))
    for name in ("19700101_000015", "2000-01-02/00-00-15"):
        unset = read(f"gate/{name}.mp4")
        assert (unset.camera, unset.start_utc, unset.doubts) == ("gate", None, ("clock_not_set",))
    assert read("gate/1999-12-31/23-00-00.mp4").doubts == ()


def test_a_folder_of_another_day_is_named() -> None:
    assert read("gate/2026-03-10/20260314_101500.mp4").doubts == ("two_dates",)
    assert read("gate/2026-03-14/20260315_000010.mp4").doubts == ()


def test_a_date_in_a_folder_tells_which_number_is_the_month() -> None:
    clock = read("2026-04-03/gate 3-4-2026 10.15.00.mp4", "UTC")
    assert (clock.start_utc, clock.doubts) == (datetime(2026, 4, 3, 10, 15, tzinfo=UTC), ())


def test_a_path_of_thousands_of_numbers_takes_no_time() -> None:
    began = time.process_time()
    assert read("gate/" + "1-1-2026-01-01_10-" * 200 + ".mp4").camera == "gate"
    read("gate/" + "1-1-2026-01-01_10-" * 9 + ".mp4")
    assert time.process_time() - began < 1.0


PIECES = st.sampled_from(
    ["2026", "-", "/", "03", "14", "_", "101500", ".", " ", "am", "T", "Z", "+", "[", "1773479700"]
)


@given(st.text(max_size=60) | st.lists(PIECES, max_size=14).map("".join))
@example("..")
@example("²026-03-14")
def test_any_path_is_read_without_an_error(text: str) -> None:
    clock = read(f"x/{text}.mp4")
    assert clock.camera
    assert clock.start_utc is None or clock.start_utc.tzinfo is UTC
